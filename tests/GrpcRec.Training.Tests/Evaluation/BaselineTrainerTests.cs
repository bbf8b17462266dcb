using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Training.CollaborativeFiltering;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Tests.Datasets;
using GrpcRec.Training.Tests.Learning;

namespace GrpcRec.Training.Tests.Evaluation;

public sealed class BaselineTrainerTests
{
    private static readonly TrainingPlan Plan = new()
    {
        ModelName = "m", ModelVersion = "v1", Tasks = [new() { Name = "next", Kind = TaskKind.NextItem }], Evaluation = new() { Cutoffs = [1, 3] },
    };

    [Fact]
    public void Train_Popularity_IsServedInTheOrderOfCounts()
    {
        using var space = new Workspace();
        var data = Crowds();
        var report = BaselineTrainer.Train(data, ServableBaseline.Popularity, Plan, space.Artifact(), TimeProvider.System, CancellationToken.None);
        var expected = Baselines.Evaluate(data, Plan.Tasks, Plan.Evaluation, SplitRole.Test)["popularity"];
        Assert.InRange(report.Metrics["hr@3"], expected["hr@3"] / 2, expected["hr@3"]); // ties stand against a model, and by id in the rule
        var order = Rank(ModelArtifact.Load(space.Artifact()), [0]);
        var counts = data.Items.Items.Select(item => item.Count).ToArray();
        Assert.Equal(order.Select(item => counts[item]).OrderDescending(), order.Select(item => counts[item]));
    }

    [Fact]
    public void Train_MatrixFactorisation_IsServedAsTheMeanOfFactors()
    {
        using var space = new Workspace();
        var data = Crowds();
        var report = BaselineTrainer.Train(data, ServableBaseline.MatrixFactorisation, Plan, space.Artifact(), TimeProvider.System, CancellationToken.None);
        var factors = BprFactors.Learn(data)!;
        var artifact = ModelArtifact.Load(space.Artifact());
        Assert.Equal(report.Metrics, artifact.Manifest.Metrics);
        foreach (int[] past in (int[][])[[0], [3, 5, 3], [11, 12, 19, 14]])
        {
            var scores = Scores(artifact, past);
            for (var item = 0; item < data.Items.Count; item++)
            {
                var expected = factors.Biases[item] + Enumerable.Range(0, BprFactors.Width).Sum(f => past.Average(p => factors.Item(p)[f]) * factors.Item(item)[f]);
                Assert.Equal(expected, scores[item], 5e-3f * (1 + Math.Abs(expected)));
            }

            // Its crowd's items come first.
            Assert.All(Rank(artifact, past).Take(8), item => Assert.Equal(past[0] < 10, item < 10));
        }
    }

    [Fact]
    public void Train_OtherTasksOrAnExistingVersion_IsRefused()
    {
        using var space = new Workspace();
        var data = Crowds();
        var binary = Plan with { Tasks = [new() { Name = "b", Kind = TaskKind.Binary, Label = new LabelSource.ValueAtLeast(1) }] };
        Assert.Contains("next item", Assert.Throws<TrainingException>(() => Train(binary)).Message, StringComparison.Ordinal);
        Train(Plan);
        Assert.Contains("exists already", Assert.Throws<TrainingException>(() => Train(Plan)).Message, StringComparison.Ordinal);

        void Train(TrainingPlan plan) =>
            BaselineTrainer.Train(data, ServableBaseline.Popularity, plan, space.Artifact(), TimeProvider.System, CancellationToken.None);
    }

    /// <summary>Two crowds with ten items each, who never meet.</summary>
    private static SequenceDataset Crowds()
    {
        var random = new Random(3);
        return Splits.LeaveOneOut(TinyDataset.Of(
            [.. Enumerable.Range(0, 200).Select(user => Enumerable.Range(0, 10).OrderBy(_ => random.Next()).Take(8).Select(item => item + (10 * (user % 2))).ToArray())],
            items: 20));
    }

    private static float[] Scores(ModelArtifact artifact, int[] past)
    {
        using var engine = Standing(artifact, past, out var slot);
        var scores = new float[engine.CatalogSize];
        engine.ScoreCatalog(slot, scores);
        return scores;
    }

    private static int[] Rank(ModelArtifact artifact, int[] past)
    {
        using var engine = Standing(artifact, past, out var slot);
        var query = new RankQuery { Slot = slot, K = engine.CatalogSize };
        engine.Rank([query]);
        return [.. query.Result.Select(ranked => ranked.Item)];
    }

    private static IStepEngine Standing(ModelArtifact artifact, int[] past, out Slot slot)
    {
        var engine = StepEngineFactory.Create(artifact, new EngineOptions { Kind = EngineKind.Cpu, SlotCapacity = 1 });
        Assert.True(engine.TryRent(out slot));
        foreach (var item in past)
            engine.Step([new StepEvent(slot, item, 0)]);
        return engine;
    }
}
