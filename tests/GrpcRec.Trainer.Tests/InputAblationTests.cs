using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;

namespace GrpcRec.Trainer.Tests;

/// <summary>On targets that are the model's own first choices the whole input gives 1, and whatever is taken away can only cost.</summary>
public sealed class InputAblationTests
{
    private readonly SelfTaught _taught = new(outlier: false);

    [Fact]
    public void Run_ModelOfOrderAndHistory_LosesByEachThatIsTaken()
    {
        var inputs = Run(targets: 100);
        Assert.Equal(["everything", "the last 10 events", "the last event alone", "events in random order", "another user's items"], inputs.Select(input => input.Input));
        var ndcg = inputs.Select(input => input.Metrics["ndcg@10"]).ToArray();
        Assert.Equal(1, ndcg[0]);
        Assert.All(ndcg[1..], value => Assert.InRange(value, 0, 0.9999));
        Assert.True(ndcg[1] > ndcg[2], "ten of eleven events say more than one");
        Assert.True(ndcg[4] < 0.5, "a stranger's items say nothing of the next one");
    }

    [Fact]
    public void Run_SameSeed_Repeats()
    {
        var (first, second) = (Run(targets: 20), Run(targets: 20));
        for (var n = 0; n < first.Count; n++)
            Assert.Equal(first[n].Metrics, second[n].Metrics);
    }

    [Fact]
    public void Run_PartWithoutTargets_TellsNothing() =>
        Assert.Empty(InputAblation.Run(_taught.Artifact, _taught.Data.Dataset, _taught.Data.Tasks, _taught.Data.Plan, SplitRole.Train));

    private IReadOnlyList<AblatedInput> Run(int targets) =>
        InputAblation.Run(_taught.Artifact, _taught.Data.Dataset, _taught.Data.Tasks, _taught.Data.Plan, SplitRole.Test, targets);
}
