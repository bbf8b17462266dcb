using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Tests.Datasets;

namespace GrpcRec.Training.Tests.Evaluation;

/// <summary>
/// The protocol, on a model whose weights are all zero: its hidden state is zero whatever it reads, so an item's logit is its bias, and
/// every rank can be told by hand.
/// </summary>
public sealed class ModelEvaluatorTests
{
    private static readonly TaskDefinition[] NextItem = [new() { Name = "next", Kind = TaskKind.NextItem }];

    /// <param name="bias">One for each item a, b, c …: the better, the larger.</param>
    /// <param name="sequence">Its last event is the test target.</param>
    [Theory]
    [InlineData(new[] { 5f, 4, 3, 2, 1 }, "abcd", false, 4)]
    [InlineData(new[] { 5f, 4, 3, 2, 1 }, "abcd", true, 1)]
    [InlineData(new[] { 5f, 4, 3, 2, 1 }, "abce", true, 2)]
    [InlineData(new[] { 1f, 2, 3, 4, 5 }, "abcd", false, 2)]
    // A target that was seen before is never masked; the others seen are.
    [InlineData(new[] { 5f, 4, 3, 2, 1 }, "cabc", true, 1)]
    [InlineData(new[] { 5f, 4, 3, 2, 1 }, "cabc", false, 3)]
    // Ties count against the model: one that gives all items the same logit must not score.
    [InlineData(new[] { 1f, 1, 1, 1, 1 }, "abcd", false, 5)]
    [InlineData(new[] { 1f, 1, 1, 1, 1 }, "abcd", true, 2)]
    public void Evaluate_KnownLogits_RanksByTheProtocol(float[] bias, string sequence, bool maskSeen, int rank)
    {
        var metrics = Evaluate(bias, sequence, maskSeen, maxSequenceLength: 10);
        Assert.Equal(1.0 / rank, metrics["mrr@5"], 6);
        Assert.Equal(1.0, metrics["hr@5"], 6);
    }

    /// <summary>The model reads one event, but the user has seen three.</summary>
    [Fact]
    public void Evaluate_SequencePastTheModelsReach_StillMasksAllThatWasSeen() =>
        Assert.Equal(1.0, Evaluate([5, 4, 3, 2, 1], "abcd", maskSeen: true, maxSequenceLength: 1)["mrr@5"], 6);

    /// <summary>Every user is recommended the same two items of five, or, where those were seen, the next.</summary>
    [Theory]
    [InlineData(false, 1, 2)]
    [InlineData(true, 2, 3)]
    public void Evaluate_OneOrderForAll_CoversWhatItsFirstPlacesHold(bool maskSeen, int first, int firstTwo)
    {
        var data = TinyDataset.Of([[0, 4], [0, 1, 4]], items: 5);
        data.Roles[1] = data.Roles[4] = SplitRole.Test;
        var metrics = ModelEvaluator.Evaluate(
            Model([5, 4, 3, 2, 1], 10, 5), data, NextItem, new EvaluationPlan { MaskSeen = maskSeen, Cutoffs = [1, 2] }, SplitRole.Test);
        Assert.Equal(first / 5.0, metrics["coverage@1"], 12);
        Assert.Equal(firstTwo / 5.0, metrics["coverage@2"], 12); // masked: 1, 2 and 2, 3
    }

    [Fact]
    public void Report_ManyUsers_HasIntervalsAroundTheFigures()
    {
        var data = TinyDataset.Of([.. Enumerable.Range(0, 60).Select(s => new[] { 0, s % 3 })], items: 3);
        for (var s = 0; s < 60; s++)
            data.Roles[(2 * s) + 1] = SplitRole.Test;
        var report = ModelEvaluator.Report(Model([3, 2, 1], 10, 3), data, NextItem, new EvaluationPlan { Cutoffs = [1, 3] }, SplitRole.Test);
        var intervals = report.Bootstrap.Intervals();
        Assert.Equal(Bootstrap.DefaultResamples, report.Bootstrap.Resamples);
        Assert.Equal(1.0 / 3, report.Metrics["hr@1"], 12);
        Assert.InRange(intervals["hr@1"].Low, 0.15, 0.27);
        Assert.InRange(intervals["hr@1"].High, 0.40, 0.52);
        Assert.Equal(new ConfidenceInterval(1, 1), intervals["hr@3"]);
        Assert.DoesNotContain("coverage@1", intervals.Keys);
    }

    [Fact]
    public void Evaluate_AnotherCatalogue_IsRefused()
    {
        var data = Data("abcd", items: 5);
        Assert.Throws<EvaluationException>(() => ModelEvaluator.Evaluate(Model([3, 2, 1], 10, 3), data, NextItem, new EvaluationPlan(), SplitRole.Test));
    }

    private static IReadOnlyDictionary<string, double> Evaluate(float[] bias, string sequence, bool maskSeen, int maxSequenceLength) =>
        ModelEvaluator.Evaluate(
            Model(bias, maxSequenceLength, bias.Length), Data(sequence, bias.Length), NextItem, new EvaluationPlan { MaskSeen = maskSeen, Cutoffs = [5] }, SplitRole.Test);

    private static SequenceDataset Data(string sequence, int items)
    {
        var data = TinyDataset.Of([[.. sequence.Select(letter => letter - 'a')]], items);
        data.Roles[^1] = SplitRole.Test;
        return data;
    }

    private static ModelArtifact Model(float[] bias, int maxSequenceLength, int items)
    {
        var manifest = new ModelManifest
        {
            FormatVersion = ModelManifest.CurrentFormat,
            Name = "zero",
            Version = "1",
            CreatedAt = DateTimeOffset.UnixEpoch,
            Encoder = new EncoderManifest
            {
                Kind = EncoderKind.Lstm, EmbeddingSize = 4, BehaviorEmbeddingSize = 0, HiddenSize = 4, Layers = 1, TiedItemEmbedding = true, BottomSize = 0, TowerSize = 0,
            },
            CatalogSize = items,
            Behaviors = ["event"],
            MaxSequenceLength = maxSequenceLength,
            Tasks = [new TaskManifest { Name = "next", Kind = TaskKind.NextItem, NeedsCandidate = true }],
            Data = new DataFingerprint(new string('0', 64), 4, 1),
        };
        var tensors = ModelTensors.Expected(manifest).ToDictionary(
            shape => shape.Key,
            shape => new WeightTensor(shape.Value, shape.Key == ModelTensors.NextItemBias ? bias : new float[shape.Value.Aggregate(1, (product, size) => product * size)]));
        return ModelArtifact.Create(manifest, TinyDataset.Of([[0]], items).Items, tensors);
    }
}
