using System.Text.Json.Nodes;
using GrpcRec.Engine.Models;
using GrpcRec.Trainer.Tuning;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Losses;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Optimizers;

namespace GrpcRec.Trainer.Tests;

public sealed class TuningTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();
    private readonly List<(string Title, int Epochs)> _trained = [];

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Apply_NamesOfTheContract_ChangeThePlan()
    {
        var plan = PlanSettings.Apply(Plan(), Object("""{"hidden_size": 48, "encoder": "gru", "learning_rate": 0.01, "weighting": "pcgrad", "optimizer": "adamw", "schedule": "cosine", "next_item_loss": "bpr_max", "gru_reset": "before_product", "filter_heights": [1, 3], "weight.next": 2.5}"""));
        Assert.Equal((48, EncoderKind.Gru), (plan.Architecture.HiddenSize, plan.Architecture.Encoder));
        Assert.Equal((0.01, Training.Weighting.WeightingKind.PcGrad), (plan.Optimization.LearningRate, plan.Optimization.Weighting));
        Assert.Equal(2.5, plan.Tasks[0].Weight);
        Assert.Equal((OptimizerKind.AdamW, LearningRateSchedule.Cosine), (plan.Optimization.Optimizer.Kind, plan.Optimization.Optimizer.Schedule));
        Assert.Equal((NextItemLossKind.BprMax, ResetPlacement.BeforeProduct), (plan.Optimization.NextItem.Loss, plan.Architecture.ResetPlacement));
        Assert.Equal([1, 3], plan.Architecture.FilterHeights);
        Assert.Equal(Plan().Architecture.EmbeddingSize, plan.Architecture.EmbeddingSize);
    }

    [Theory]
    [InlineData("""{"hidden": 48}""", "hidden is no setting; there are .*hidden_size")]
    [InlineData("""{"hidden_size": "wide"}""", "hidden_size cannot be \"wide\"")]
    [InlineData("""{"weighting": "fair"}""", "weighting cannot be \"fair\"")]
    [InlineData("""{"optimizer": null}""", "optimizer cannot be null")]
    [InlineData("""{"weight.like": 2}""", "weight.like names no task; there are next")]
    [InlineData("""{"weight.next": "much"}""", "weight.next cannot be \"much\"")]
    public void Apply_SettingThatIsNone_IsRefusedByName(string settings, string why) =>
        Assert.Matches(why, Assert.Throws<TrainingException>(() => PlanSettings.Apply(Plan(), Object(settings))).Message);

    [Fact]
    public void Draw_Space_StaysWithinAndHangsOnSeedAndNumberAlone()
    {
        var space = new SearchSpace(Object("""{"learning_rate": {"low": 0.001, "high": 0.1, "log": true}, "hidden_size": {"low": 16, "high": 32, "integer": true}, "dropout": [0.1, 0.2]}"""));
        var draws = Enumerable.Range(1, 200).Select(trial => space.Draw(7, trial)).ToArray();
        var rates = draws.Select(draw => (double)draw["learning_rate"]!).ToArray();
        Assert.All(rates, rate => Assert.InRange(rate, 0.001, 0.1));
        // Half of the draws below the geometric mean.
        Assert.InRange(rates.Count(rate => rate < 0.01), 70, 130);
        Assert.All(draws, draw => Assert.InRange((long)draw["hidden_size"]!, 16L, 32L));
        Assert.Equal([0.1, 0.2], draws.Select(draw => (double)draw["dropout"]!).Distinct().Order());
        Assert.Equal(draws[4].ToJsonString(), space.Draw(7, 5).ToJsonString());
        Assert.NotEqual(draws[4].ToJsonString(), space.Draw(8, 5).ToJsonString());
    }

    /// <summary>Every choice of it is a plan that trains, of one task and of several, with long sequences and a sampled loss too.</summary>
    [Fact]
    public void DefaultSpace_AnyDraw_IsWithinThePlansBounds()
    {
        TaskDefinition[] several =
        [
            .. Plan().Tasks, new() { Name = "a", Kind = TaskKind.Binary, Label = new LabelSource.ValueAtLeast(1) }, new() { Name = "b", Kind = TaskKind.Binary, Label = new LabelSource.ValueAtLeast(2) },
        ];
        var sampled = Plan() with { Architecture = new() { MaxSequenceLength = 2_000 }, Optimization = new() { BatchSize = 8, NextItem = new() { Loss = NextItemLossKind.SampledSoftmax, Negatives = 16_000 } } };
        foreach (var plan in new[]
        {
            Plan(), Plan() with { Tasks = several }, Plan() with { Tasks = several, Architecture = new() { MaxSequenceLength = 4_000 } },
            Plan() with { Architecture = new() { MaxSequenceLength = 3 } }, sampled,
        })
        {
            var space = new SearchSpace(DefaultSpace.Of(plan));
            var draws = Enumerable.Range(1, 100).Select(trial => space.Draw(3, trial)).ToArray();
            Assert.All(draws, draw => PlanSettings.Apply(plan, draw).Check());
            Assert.Equal(plan.Tasks.Count > 2, draws[0].ContainsKey("weighting"));
            Assert.Equal(plan.Architecture.MaxSequenceLength >= 8, draws[0].ContainsKey("min_context"));
        }

        Assert.Equal(8, (int)new SearchSpace(DefaultSpace.Of(sampled)).Draw(3, 1)["batch_size"]!); // nothing larger fits
    }

    [Theory]
    [InlineData("""{}""", "1 to 32 settings")]
    [InlineData("""{"dropout": 0.1}""", "dropout is neither")]
    [InlineData("""{"dropout": {"low": 0.5, "high": 0.1}}""", "needs low < high")]
    [InlineData("""{"dropout": {"low": 0, "high": 0.1, "log": true}}""", "needs 0 < low")]
    [InlineData("""{"dropout": {"low": 0, "hi": 0.1}}""", "no number \"high\"")]
    public void SearchSpace_Damaged_IsRefusedByName(string space, string why) =>
        Assert.Contains(why, Assert.Throws<TrainingException>(() => new SearchSpace(Object(space))).Message, StringComparison.Ordinal);

    [Fact]
    public void Run_ThreeTrials_HalvesFindsTheBetterAndTrainsNothingTwice()
    {
        // A learning rate of next to nothing learns next to nothing.
        var found = Search("""{"learning_rate": [0.000001]}""").Run(Data(), Show, TimeProvider.System, _ => { }, CancellationToken.None);
        Assert.Equal(0, found.Trials[0].Number);
        Assert.Equal("ndcg@10", found.Criterion);
        Assert.Equal([4, 2, 2], found.Trials.Select(trial => trial.Epochs));
        Assert.Equal(4, found.Trials[0].Curve.Count);
        Assert.Equal(found.Trials[0].Curve.Max(), found.Trials[0].Value!.Value, 12);
        Assert.True(found.Trials[0].Value > found.Trials[1].Value);
        Assert.Equal(["trial-0, to epoch 2", "trial-1, to epoch 2", "trial-2, to epoch 2", "trial-0, to epoch 4"], _trained.Select(one => one.Title));

        TuningReport.Write(found, _scratch.Path);
        Assert.Equal("{}", File.ReadAllText(Path.Combine(_scratch.Path, "best.json")));
        Assert.True(File.Exists(Path.Combine(_scratch.Path, "tune.png")));
    }

    [Fact]
    public void Run_CutOffAndBegunAgain_GoesOnWhereItStood()
    {
        using var cut = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => Search().Run(Data(), (title, work) =>
        {
            var outcome = Show(title, work);
            if (_trained.Count == 2)
                cut.Cancel();
            return outcome;
        }, TimeProvider.System, _ => { }, cut.Token));
        var again = Search().Run(Data(), Show, TimeProvider.System, _ => { }, CancellationToken.None);
        Assert.Equal(["trial-0, to epoch 2", "trial-1, to epoch 2", "trial-2, to epoch 2"], _trained.Take(3).Select(one => one.Title));
        Assert.Equal(4, _trained.Count);

        using var elsewhere = new ScratchDirectory();
        var whole = (Search() with { Directory = elsewhere.Path }).Run(Data(), Show, TimeProvider.System, _ => { }, CancellationToken.None);
        Assert.Equal(whole.Trials.Select(trial => (trial.Number, trial.Value)), again.Trials.Select(trial => (trial.Number, trial.Value)));

        var other = Assert.Throws<TrainingException>(() => (Search() with { Seed = 9 }).Run(Data(), Show, TimeProvider.System, _ => { }, CancellationToken.None));
        Assert.Contains("another search", other.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_OtherSplitOrTask_IsAnotherSearch()
    {
        Search().Run(Data(), Show, TimeProvider.System, _ => { }, CancellationToken.None);
        var data = Data();
        var otherSplit = data.WithRoles([.. data.Roles.Select((role, t) => t == 1 ? SplitRole.None : role)]);
        var heavier = Search() with { Plan = Plan() with { Tasks = [Plan().Tasks[0] with { Weight = 2 }] } };
        foreach (var run in (Action[])[
            () => Search().Run(otherSplit, Show, TimeProvider.System, _ => { }, CancellationToken.None),
            () => heavier.Run(Data(), Show, TimeProvider.System, _ => { }, CancellationToken.None)])
            Assert.Contains("another search", Assert.Throws<TrainingException>(run).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_ScheduleOverRungs_IsRefusedBeforeTraining()
    {
        const string space = "{\"schedule\": [\"cosine\"]}";
        var refusal = Assert.Throws<TrainingException>(() => Search(space).Run(Data(), Show, TimeProvider.System, _ => { }, CancellationToken.None));
        Assert.Contains("--rungs", refusal.Message, StringComparison.Ordinal);
        Assert.Empty(_trained);
        var oneRung = Search(space) with { Rungs = [2], Trials = 2 };
        Assert.Equal(2, oneRung.Run(Data(), Show, TimeProvider.System, _ => { }, CancellationToken.None).Trials.Count);
    }

    [Fact]
    public void Run_SettingsThatCannotBeTrained_AreGivenUpAndToldOf()
    {
        var notes = new List<string>();
        var found = Search("""{"hidden_size": [100000]}""").Run(Data(), Show, TimeProvider.System, notes.Add, CancellationToken.None);
        Assert.Equal(0, found.Trials[0].Number);
        Assert.All(found.Trials.Skip(1), trial => Assert.NotNull(trial.Failure));
        Assert.Contains(notes, note => note.Contains("trial-1 is given up", StringComparison.Ordinal));
    }

    private TrainingOutcome Show(string title, Func<IProgress<TrainingProgressReport>, TrainingOutcome> work)
    {
        var outcome = work(new Progress<TrainingProgressReport>());
        _trained.Add((title, outcome.History.Count));
        return outcome;
    }

    private SuccessiveHalving Search(string space = """{"learning_rate": {"low": 0.001, "high": 0.05, "log": true}}""") =>
        new(Plan(), new SearchSpace(Object(space)), Trials: 3, Rungs: [2, 4], Keep: 0.3, Seed: 1, _scratch.Path);

    private static TrainingPlan Plan() => new()
    {
        ModelName = "tune",
        ModelVersion = "tune",
        Tasks = [new TaskDefinition { Name = "next", Kind = TaskKind.NextItem }],
        Architecture = new ArchitecturePlan { EmbeddingSize = 8, HiddenSize = 8, MaxSequenceLength = 12 },
        Optimization = new OptimizationPlan { LearningRate = 0.02 },
    };

    /// <summary>Twelve items, always in the same order.</summary>
    private static SequenceDataset Data()
    {
        const int items = 12, length = 10, sequences = 40;
        var roles = Enumerable.Range(0, sequences * length).Select(t => (t % length) switch
        {
            0 => SplitRole.None,
            length - 1 => SplitRole.Test,
            length - 2 => SplitRole.Validation,
            _ => SplitRole.Train,
        });
        return new SequenceDataset
        {
            Items = new ItemCatalog([.. Enumerable.Range(0, items).Select(i => new CatalogItem($"i{i}", 1))]),
            Behaviors = ["event"],
            Categories = [],
            SequenceKeys = [.. Enumerable.Range(0, sequences).Select(s => $"u{s}")],
            Offsets = [.. Enumerable.Range(0, sequences + 1).Select(s => s * length)],
            ItemIds = [.. Enumerable.Range(0, sequences * length).Select(t => ((t / length) + t) % items)],
            BehaviorIds = new byte[sequences * length],
            TimestampsMs = [.. Enumerable.Range(0, sequences * length).Select(t => (long)t)],
            Values = [.. Enumerable.Repeat(float.NaN, sequences * length)],
            Labels = new Dictionary<string, float[]>(),
            Roles = [.. roles],
            Fingerprint = new DataFingerprint(new string('0', 64), sequences * length, sequences),
        };
    }

    private static JsonObject Object(string text) => JsonNode.Parse(text)!.AsObject();
}
