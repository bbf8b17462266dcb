using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Tests.Learning;

/// <summary>Worlds whose labels hang on one thing alone: a model that reads it must learn it, one that does not can only guess.</summary>
[Collection(TorchTests.Name)]
public sealed class FeatureTests
{
    private static readonly TaskDefinition Click = new() { Name = "click", Kind = TaskKind.Binary, Label = new LabelSource.Column("click") };

    private static TrainingOutcome Train(SequenceDataset data, ArchitecturePlan network, Workspace space, int epochs = 12, Action<string>? note = null, IProgress<TrainingProgressReport>? progress = null, CancellationToken cancellation = default) =>
        ModelTrainer.Train(data, Plan(network, epochs), space.Checkpoint, space.Artifact(), progress, TimeProvider.System, cancellation, note: note);

    private static TrainingPlan Plan(ArchitecturePlan network, int epochs)
    {
        var plan = TinyData.Plan(Click);
        return plan with
        {
            Architecture = plan.Architecture with { EventFeatures = network.EventFeatures, RequestFeatures = network.RequestFeatures, ItemTerms = network.ItemTerms, ItemTermRate = network.ItemTermRate },
            Optimization = plan.Optimization with { Epochs = epochs, Patience = epochs, LearningRate = 5e-3 },
        };
    }

    /// <param name="labelOf">Of the data and an event: whether it is likely a click.</param>
    private static SequenceDataset World(Func<SequenceDataset, int, bool> labelOf)
    {
        var data = TinyData.WithContexts(TinyData.Cycle(sequences: 400, beforeLast: SplitRole.Train));
        var random = new Random(5);
        var click = new float[data.EventCount];
        for (var t = 0; t < click.Length; t++)
            click[t] = labelOf(data, t) == random.NextDouble() < 0.95 ? 1 : 0;
        ((Dictionary<string, float[]>)data.Labels)["click"] = click;
        return data;
    }

    /// <summary>Without what decides: the world's 400 test labels leave ± 0.03 about a half. With it: 0.95 less what a few epochs miss.</summary>
    private static void AssertDecides(SequenceDataset data, ArchitecturePlan reads)
    {
        using Workspace with = new(), without = new();
        var known = Train(data, reads, with).Metrics["auc/click"];
        var guessed = Train(data, new ArchitecturePlan(), without).Metrics["auc/click"];
        Assert.True(known > 0.88, $"auc/click is {known} with the feature");
        Assert.InRange(guessed, 0.38, 0.62);
    }

    [Fact]
    public void Train_LabelHangsOnTheContextOfTheRequest_IsLearntThroughIt() =>
        AssertDecides(World((data, t) => data.Contexts["tab"].Ids[t] is 1 or 2), new() { RequestFeatures = [new("tab")] });

    [Fact]
    public void Train_LabelHangsOnTheContextOfTheEventBefore_IsLearntThroughIt() =>
        AssertDecides(World((data, t) => t > 0 && data.Contexts["tab"].Ids[t - 1] is 1 or 2), new() { EventFeatures = [new("tab")] });

    [Fact]
    public void Train_LabelHangsOnTheTimeBeforeTheLastEvent_IsLearntThroughTheGap() =>
        AssertDecides(
            World((data, t) => t % 14 > 1 && data.TimestampsMs[t - 1] - data.TimestampsMs[t - 2] > 60_000), new() { EventFeatures = [new("gap", FeatureSource.TimeGap) { Buckets = 6 }] });

    [Fact]
    public void Train_LabelHangsOnTheValueOfTheEventBefore_IsLearntThroughIt()
    {
        var data = World((data, t) => t > 0 && data.Values[t - 1] > 50);
        AssertDecides(data, new() { EventFeatures = [new("amount", FeatureSource.Value)] });
    }

    [Fact]
    public void Train_EverythingRead_IsInTheManifestAndServedAsItWasLearnt()
    {
        using var space = new Workspace();
        var data = World((data, t) => data.Contexts["tab"].Ids[t] == 1);
        // Validation targets too, to compare torch's pass with the engine's.
        for (var t = 13; t < data.EventCount; t += 28)
            data.Roles[t] = SplitRole.Validation;
        var outcome = Train(data, Everything, space, epochs: 4);

        var manifest = outcome.Manifest;
        Assert.Equal(["tab", "gap", "amount", "shelf"], manifest.EventFeatures.Select(feature => feature.Name));
        Assert.Equal(["home", "search", "feed"], manifest.EventFeatures[0].Values);
        Assert.Equal(6, manifest.EventFeatures[0].EmbeddingSize);
        Assert.Equal(2, manifest.RequestFeatures[1].EmbeddingSize); // the root of four values
        Assert.True(manifest.Tasks[0].ItemBias);
        var engine = ModelEvaluator.Evaluate(ModelArtifact.Load(space.Artifact()), data, [Click], new EvaluationPlan(), SplitRole.Validation);
        Assert.Equal(outcome.History[outcome.BestEpoch - 1].ValidationMetrics["auc/click"], engine["auc/click"], 0.02);

        // What decides is missed when it is taken away; what says nothing is not.
        var inputs = InputAblation.Run(ModelArtifact.Load(space.Artifact()), data, [Click], new EvaluationPlan(), SplitRole.Test).ToDictionary(input => input.Input, input => input.Metrics["auc/click"]);
        Assert.Equal(
            ["everything", "the last 10 events", "the last event alone", "events in random order", "another user's items", "no behaviours", "events without tab", "events without gap", "events without amount", "requests without tab", "requests without age"],
            inputs.Keys);
        Assert.InRange(inputs["everything"], 0.85, 1);
        Assert.InRange(inputs["requests without tab"], 0.3, 0.7);
        Assert.Equal(inputs["everything"], inputs["requests without age"], 0.05);
    }

    [Fact]
    public void Train_WithFeaturesStoppedAndCalledAgain_EndsWhereAnUnbrokenRunEnds()
    {
        using Workspace whole = new(), broken = new();
        var data = World((data, t) => data.Contexts["tab"].Ids[t] == 1);
        for (var t = 13; t < data.EventCount; t += 28)
            data.Roles[t] = SplitRole.Validation;
        Train(data, Everything, whole, epochs: 3);
        using var cancellation = new CancellationTokenSource();
        var canceller = new Reporter(report =>
        {
            if (report.Epoch == 2 && report.Stage == TrainingStage.Validating)
                cancellation.Cancel();
        });
        Assert.ThrowsAny<OperationCanceledException>(() => Train(data, Everything, broken, epochs: 3, progress: canceller, cancellation: cancellation.Token));
        List<string> notes = [];
        Train(data, Everything, broken, epochs: 3, note: notes.Add);

        Assert.Contains("Training goes on after epoch 1.", notes);
        ModelArtifact a = ModelArtifact.Load(whole.Artifact()), b = ModelArtifact.Load(broken.Artifact());
        foreach (var name in ModelTensors.Expected(a.Manifest).Keys)
            Assert.True(a.Weights(name).SequenceEqual(b.Weights(name)), $"{name} differs");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Train_ItemTerms_BeginAtTheRatesAndMoveByTheirOwnRate(double rate)
    {
        using var space = new Workspace();
        var data = World((data, t) => data.ItemIds[t] % 3 == 0);
        var outcome = Train(data, new() { ItemTerms = true, ItemTermRate = rate }, space, epochs: 1);
        var terms = ModelArtifact.Load(space.Artifact()).Weights(ModelTensors.TaskItemBias("click")).ToArray();

        // By hand: the share of the item's training targets, smoothed by 20 rows of the share of all.
        var targets = Enumerable.Range(0, data.EventCount).Where(t => data.Roles[t] == SplitRole.Train).ToArray();
        double Odds(double share) => Math.Log(share / (1 - share));
        var all = targets.Average(t => data.Labels["click"][t]);
        var differences = terms.Select((term, item) =>
        {
            var own = targets.Where(t => data.ItemIds[t] == item).Select(t => (double)data.Labels["click"][t]).ToArray();
            return Math.Abs(term - (Odds((own.Sum() + (20 * all)) / (own.Length + 20)) - Odds(all)));
        }).ToArray();
        Assert.Equal(rate == 0, differences.Max() < 1e-5);
        Assert.True(outcome.Metrics["auc/click"] > 0.9, $"auc/click is {outcome.Metrics["auc/click"]} after an epoch");
    }

    public static TheoryData<string> Refusals => new(RefusedPlans.Keys);

    private static readonly Dictionary<string, (ArchitecturePlan Network, string Message)> RefusedPlans = new()
    {
        ["unknown context"] = (new() { EventFeatures = [new("device")] }, "architecture.event_features['device'] is no context column; the data has \"age\", \"tab\"."),
        ["unknown request context"] = (new() { RequestFeatures = [new("device")] }, "architecture.request_features['device'] is no context column"),
        ["label"] = (new() { RequestFeatures = [new("click")] }, "is also the label of a task: a request cannot know it"),
        ["two of one name"] = (new() { EventFeatures = [new("tab"), new("tab", FeatureSource.Value)] }, "two features of one name"),
        ["bad name"] = (new() { RequestFeatures = [new("Tab")] }, "beginning with a letter"),
        ["one bucket"] = (new() { EventFeatures = [new("gap", FeatureSource.TimeGap) { Buckets = 1 }] }, "is 1; give 2 to 64"),
        ["too many kinds"] = (new() { EventFeatures = [new("tab"), new("gap", FeatureSource.TimeGap) { Buckets = 64 }, new("amount", FeatureSource.Value) { Buckets = 64 }, new("age")] }, "and at most 16384 can be served"),
        ["rate"] = (new() { ItemTermRate = 2 }, "architecture.item_term_rate is 2; give 0 to 1"),
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void Train_FeatureThatCannotBe_IsRefusedByName(string why)
    {
        using var space = new Workspace();
        var (network, message) = RefusedPlans[why];
        var error = Assert.Throws<TrainingException>(() => Train(World((_, _) => true), network, space));
        Assert.True(error.Message.Contains(message, StringComparison.Ordinal), $"{why}: {error.Message}");
        Assert.StartsWith("architecture.", error.Field, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_FeaturesThatNoTaskOrNoDataHas_AreRefused()
    {
        using var space = new Workspace();
        var data = TinyData.WithContexts(TinyData.Cycle());
        TrainingException Refused(SequenceDataset from, ArchitecturePlan network, params TaskDefinition[] tasks)
        {
            var plan = TinyData.Plan(tasks);
            plan = plan with { Architecture = plan.Architecture with { EventFeatures = network.EventFeatures, RequestFeatures = network.RequestFeatures, ItemTerms = network.ItemTerms, RepeatTerms = network.RepeatTerms, ItemMemory = network.ItemMemory } };
            return Assert.Throws<TrainingException>(() => ModelTrainer.Train(from, plan, space.Checkpoint, space.Artifact(), null, TimeProvider.System, default));
        }

        Assert.Contains("no task is one", Refused(data, new() { RequestFeatures = [new("tab")] }, TinyData.NextItem).Message, StringComparison.Ordinal);
        Assert.Contains("no task is one", Refused(data, new() { ItemTerms = true }, TinyData.Category).Message, StringComparison.Ordinal);
        Assert.Contains("there is none", Refused(data, new() { RepeatTerms = true }, TinyData.Category).Message, StringComparison.Ordinal);
        Assert.Contains("there is none", Refused(data, new() { ItemMemory = true }, TinyData.Category).Message, StringComparison.Ordinal);
        Assert.Contains("the data has none", Refused(TinyData.Cycle(), new() { EventFeatures = [new("tab")] }, TinyData.NextItem).Message, StringComparison.Ordinal);
        var alike = TinyData.Cycle();
        Array.Fill(alike.Values, 7);
        Assert.Contains("all alike or absent", Refused(alike, new() { EventFeatures = [new("value", FeatureSource.Value)] }, TinyData.NextItem).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ModelInputs_DataOfOtherValues_GoByTheModelsValues()
    {
        using var space = new Workspace();
        var manifest = Train(World((_, _) => true), new() { EventFeatures = [new("tab")], RequestFeatures = [new("tab")] }, space, epochs: 1).Manifest;
        var other = TinyData.Cycle(sequences: 1);
        var tabs = new ContextColumn(["shelf", "search", "home"], [.. Enumerable.Range(0, other.EventCount).Select(t => (ushort)(t % 4))]);
        var inputs = new ModelInputs(manifest, other.With(other.Roles, other.Items, new Dictionary<string, ContextColumn> { ["tab"] = tabs }, other.Fingerprint));
        Assert.Equal<ushort>([0, 0, 2, 1], inputs.EventFeatures[0].Ids[..4]); // none, not known to the model, search, home
        Assert.Equal([2], inputs.RequestOf(2));
        Assert.Equal([0], inputs.RequestOf(2, unknown: "tab"));
        Assert.Equal(other.BehaviorIds[2] + (2 * 2), inputs.KindOf(2)); // two behaviours
        Assert.Equal(other.BehaviorIds[2], inputs.KindOf(2, unknown: "tab"));
        Assert.Contains("no such column", Assert.Throws<EvaluationException>(() => new ModelInputs(manifest, other)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fingerprint_PlanWithoutFeatures_IsWhatItWasBeforeThereWereAny()
    {
        var plan = TinyData.Plan(Click);
        Assert.Equal(plan.Fingerprint(), (plan with { Architecture = plan.Architecture with { ItemTermRate = 0.5 } }).Fingerprint());
        Assert.NotEqual(plan.Fingerprint(), (plan with { Architecture = plan.Architecture with { ItemTerms = true } }).Fingerprint());
        Assert.NotEqual(plan.Fingerprint(), (plan with { Architecture = plan.Architecture with { RepeatTerms = true } }).Fingerprint());
        Assert.NotEqual(plan.Fingerprint(), (plan with { Architecture = plan.Architecture with { ItemMemory = true } }).Fingerprint());
        Assert.NotEqual(plan.Fingerprint(), (plan with { Architecture = plan.Architecture with { EventFeatures = [new("tab")] } }).Fingerprint());
        Assert.NotEqual(plan.Fingerprint(), (plan with { Architecture = plan.Architecture with { RequestFeatures = [new("tab")] } }).Fingerprint());
    }

    private static ArchitecturePlan Everything => new()
    {
        EventFeatures = [new("tab") { EmbeddingSize = 6 }, new("gap", FeatureSource.TimeGap), new("amount", FeatureSource.Value), new("shelf", FeatureSource.ItemCategory)],
        RequestFeatures = [new("tab"), new("age")],
        ItemTerms = true,
    };
}
