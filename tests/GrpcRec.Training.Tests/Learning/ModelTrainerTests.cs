using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Losses;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Optimizers;
using GrpcRec.Training.Weighting;

namespace GrpcRec.Training.Tests.Learning;

[Collection(TorchTests.Name)]
public class ModelTrainerTests
{
    private static TrainingOutcome Train(
        SequenceDataset data, TrainingPlan plan, Workspace space, IProgress<TrainingProgressReport>? progress = null,
        Action<string>? note = null, string version = "1", CancellationToken cancellation = default) =>
        ModelTrainer.Train(data, plan, space.Checkpoint, space.Artifact(version), progress, TimeProvider.System, cancellation, note: note);

    [Fact]
    public void Train_DeterministicPattern_RanksTheNextItemFirst()
    {
        using var space = new Workspace();
        var plan = TinyData.Plan(TinyData.NextItem);
        plan = plan with { Optimization = plan.Optimization with { Epochs = 30, Patience = 30 } };

        var outcome = Train(TinyData.Cycle(), plan, space);

        Assert.True(outcome.Metrics["hr@1"] > 0.97, $"hr@1 is {outcome.Metrics["hr@1"]}");
        Assert.True(outcome.History[^1].Loss < 0.5 * outcome.History[0].Loss);
        Assert.Equal("ndcg@10", outcome.Criterion);
        Assert.Equal(outcome.Metrics["hr@1"], ModelArtifact.Load(space.Artifact()).Manifest.Metrics["hr@1"]);
    }

    /// <summary>The next item hangs on the last one alone, which every encoder but a bag can tell; a bag of a cycle tells it from what was seen.</summary>
    [Theory]
    [InlineData(EncoderKind.Gru, ResetPlacement.AfterProduct)]
    [InlineData(EncoderKind.Gru, ResetPlacement.BeforeProduct)]
    [InlineData(EncoderKind.Rnn, ResetPlacement.None)]
    [InlineData(EncoderKind.Bag, ResetPlacement.None)]
    [InlineData(EncoderKind.Cnn, ResetPlacement.None)]
    [InlineData(EncoderKind.MinGru, ResetPlacement.None)]
    public void Train_EveryEncoder_LearnsThePatternAndServesWhatItLearnt(EncoderKind encoder, ResetPlacement reset)
    {
        using var space = new Workspace();
        // Sequences shorter than the cycle: a bag sees where they began.
        var data = TinyData.Cycle(items: 24, sequences: 80);
        var plan = TinyData.Plan(TinyData.NextItem, TinyData.Like);
        plan = plan with
        {
            Architecture = plan.Architecture with { Encoder = encoder, ResetPlacement = reset, WindowLength = 4, HiddenSize = 32, EmbeddingSize = 16 },
            Optimization = plan.Optimization with { Epochs = 40, Patience = 40, LearningRate = 2e-2 },
        };

        var outcome = Train(data, plan, space);

        // One of 24 by chance; a bag, which knows no order, guesses by what is missing.
        Assert.True(outcome.Metrics["hr@1"] > 0.8, $"hr@1 is {outcome.Metrics["hr@1"]}");
        Assert.Equal(encoder, outcome.Manifest.Encoder.Kind);
        // Validation is torch's forward pass; the same split through the engine must give the same.
        var engine = ModelEvaluator.Evaluate(ModelArtifact.Load(space.Artifact()), data, plan.Tasks, plan.Evaluation, SplitRole.Validation);
        Assert.Equal(outcome.History[outcome.BestEpoch - 1].ValidationMetrics["auc/like"], engine["auc/like"], 0.02);
    }

    /// <summary>The last item repeats the first of 30, past noise: what a memory of one event, or of a window of eight, cannot tell.</summary>
    [Theory]
    [InlineData(EncoderKind.MinGru, true)]
    [InlineData(EncoderKind.Cnn, false)]
    public void Train_TargetHangsOnTheFirstEvent_NeedsALongMemory(EncoderKind encoder, bool learns)
    {
        using var space = new Workspace();
        var data = TinyData.Cycle(items: 12, sequences: 300, length: 30, beforeLast: SplitRole.None);
        var random = new Random(3);
        for (var s = 0; s < data.SequenceCount; s++)
        {
            var (first, end) = (data.Offsets[s], data.Offsets[s + 1]);
            for (var t = first; t < end; t++)
            {
                data.ItemIds[t] = t == first ? random.Next(4) : 4 + random.Next(8);
                data.Roles[t] = t < end - 1 ? SplitRole.None : s % 5 == 0 ? SplitRole.Test : SplitRole.Train;
            }

            data.ItemIds[end - 1] = data.ItemIds[first];
        }

        var plan = TinyData.Plan(TinyData.NextItem);
        plan = plan with
        {
            Architecture = plan.Architecture with { Encoder = encoder, HiddenSize = 32, EmbeddingSize = 16, MaxSequenceLength = 30 },
            Optimization = plan.Optimization with { Epochs = 40, Patience = 40, LearningRate = 2e-2 },
        };
        var hits = Train(data, plan, space).Metrics["hr@1"];

        Assert.True(learns ? hits > 0.95 : hits < 0.6, $"hr@1 is {hits}");
    }

    [Theory]
    [InlineData(TrunkKind.Mmoe)]
    [InlineData(TrunkKind.Cgc)]
    [InlineData(TrunkKind.Ple)]
    [InlineData(TrunkKind.Stem)]
    public void Train_EveryTrunk_LearnsEveryTask(TrunkKind trunk)
    {
        using var space = new Workspace();
        var plan = TinyData.Plan(TinyData.Like, TinyData.Rating);
        plan = plan with
        {
            Architecture = plan.Architecture with { Trunk = trunk, SharedExperts = 2, TaskExperts = 1, TowerSize = 16 },
            Optimization = plan.Optimization with { Epochs = 30, Patience = 30 },
        };

        var outcome = Train(TinyData.Cycle(beforeLast: SplitRole.Train), plan, space);

        Assert.Equal(trunk, outcome.Manifest.Encoder.Trunk.Kind);
        Assert.True(outcome.Metrics["auc/like"] > 0.97, $"auc/like is {outcome.Metrics["auc/like"]}");
        Assert.True(outcome.Metrics["accuracy/rating"] > 0.9, $"accuracy/rating is {outcome.Metrics["accuracy/rating"]}");
    }

    [Theory]
    [InlineData(NextItemLossKind.SampledSoftmax, OptimizerKind.AdamW, 1e-2)]
    [InlineData(NextItemLossKind.BprMax, OptimizerKind.Adam, 2e-2)]
    [InlineData(NextItemLossKind.FullSoftmax, OptimizerKind.Sgd, 0.5)]
    public void Train_EveryLossAndOptimizer_LearnsThePattern(NextItemLossKind loss, OptimizerKind optimizer, double learningRate)
    {
        using var space = new Workspace();
        var plan = TinyData.Plan(TinyData.NextItem);
        plan = plan with
        {
            Optimization = plan.Optimization with
            {
                Epochs = 60, Patience = 60, LearningRate = learningRate, NextItem = new() { Loss = loss, Negatives = 6, ScorePenalty = 0.1 },
                Optimizer = new() { Kind = optimizer, LazyEmbeddings = true, Schedule = LearningRateSchedule.Cosine, WarmUp = 0.1 },
            },
        };

        var outcome = Train(TinyData.Cycle(), plan, space);

        Assert.True(outcome.Metrics["hr@1"] > 0.85, $"hr@1 is {outcome.Metrics["hr@1"]}");
    }

    [Fact]
    public void Train_Regression_LearnsTheNumberInItsOwnUnit()
    {
        using var space = new Workspace();
        var data = TinyData.Cycle(beforeLast: SplitRole.Train);
        // Large and far from zero: 5,000 to 5,600, which only a standardised head learns.
        for (var t = 0; t < data.EventCount; t++)
            data.Values[t] = t % 7 == 0 ? float.NaN : 5000 + (200 * (data.ItemIds[t] % 4));
        var plan = TinyData.Plan(new TaskDefinition { Name = "price", Kind = TaskKind.Regression, Label = new LabelSource.NextValue() });
        plan = plan with { Optimization = plan.Optimization with { Epochs = 40 } };

        var outcome = Train(data, plan, space);

        Assert.True(outcome.Metrics["rmse/price"] < 30, $"rmse/price is {outcome.Metrics["rmse/price"]}");
        Assert.True(outcome.Metrics["r2/price"] > 0.97, $"r2/price is {outcome.Metrics["r2/price"]}");
        Assert.InRange(outcome.Manifest.Tasks[0].Offset, 5200, 5400);
        Assert.InRange(outcome.Manifest.Tasks[0].Scale, 200, 250);
    }

    /// <summary>A world with a known chain: an item is clicked at 0.6, and a clicked one bought at 0.5 or never, by the item.</summary>
    [Fact]
    public void Train_ChainedTask_LearnsTheProductAndStaysBelowWhatItNeeds()
    {
        using var space = new Workspace();
        var data = TinyData.Cycle(items: 6, sequences: 150, beforeLast: SplitRole.Train);
        var random = new Random(11);
        float[] click = new float[data.EventCount], order = new float[data.EventCount];
        for (var t = 0; t < data.EventCount; t++)
        {
            click[t] = random.NextDouble() < 0.6 ? 1 : 0;
            order[t] = click[t] == 1 && data.ItemIds[t] % 2 == 0 && random.NextDouble() < 0.5 ? 1 : 0;
        }

        ((Dictionary<string, float[]>)data.Labels)["click"] = click;
        ((Dictionary<string, float[]>)data.Labels)["order"] = order;
        var plan = TinyData.Plan(
            new TaskDefinition { Name = "click", Kind = TaskKind.Binary, Label = new LabelSource.Column("click") },
            new TaskDefinition { Name = "order", Kind = TaskKind.Binary, Label = new LabelSource.Column("order"), Given = "click" });
        plan = plan with { Optimization = plan.Optimization with { Epochs = 15 } };

        var outcome = Train(data, plan, space);

        Assert.Equal("click", outcome.Manifest.Tasks[1].Given);
        using var engine = StepEngineFactory.Create(ModelArtifact.Load(space.Artifact()), new EngineOptions { SlotCapacity = 1 });
        Assert.True(engine.TryRent(out var slot));
        engine.Advance([new EventRun(slot, 0, 5)], data.ItemIds.AsSpan(0, 5), new int[5]);
        var logits = new float[12];
        engine.ScoreCandidates(slot, [0, 1, 2, 3, 4, 5], logits);
        for (var item = 0; item < 6; item++)
        {
            double clicked = 1 / (1 + Math.Exp(-logits[2 * item])), ordered = 1 / (1 + Math.Exp(-logits[(2 * item) + 1]));
            Assert.InRange(clicked, 0.45, 0.75);
            Assert.InRange(ordered, item % 2 == 0 ? 0.18 : 0, item % 2 == 0 ? 0.42 : 0.08);
            Assert.True(ordered <= clicked);
        }
    }

    [Fact]
    public void Train_AllKindsOfTasks_LearnsEachAndReportsItsMetrics()
    {
        using var space = new Workspace();
        var plan = TinyData.Plan(TinyData.NextItem, TinyData.Like, TinyData.Category, TinyData.Rating);
        plan = plan with { Optimization = plan.Optimization with { Epochs = 25, Patience = 25 } };

        // Without a validation split the last epoch is kept: with one, the first at which next_item is perfect would be.
        var outcome = Train(TinyData.Cycle(beforeLast: SplitRole.Train), plan, space);

        Assert.True(outcome.Metrics["auc/like"] > 0.97, $"auc/like is {outcome.Metrics["auc/like"]}");
        Assert.Equal(outcome.Metrics["auc/like"], outcome.Metrics["auc/mean"]);
        Assert.True(outcome.Metrics["accuracy/category"] > 0.9, $"accuracy/category is {outcome.Metrics["accuracy/category"]}");
        Assert.True(outcome.Metrics["accuracy/rating"] > 0.9, $"accuracy/rating is {outcome.Metrics["accuracy/rating"]}");
        Assert.Equal(4, outcome.History[0].TaskLosses.Count);
    }

    [Fact]
    public void Train_SameSeedTwice_GivesTheSameWeights()
    {
        using Workspace first = new(), second = new();
        var plan = TinyData.Plan(TinyData.NextItem, TinyData.Like);
        plan = plan with { Architecture = plan.Architecture with { Dropout = 0.2, Layers = 2 } };

        Train(TinyData.Cycle(), plan, first);
        Train(TinyData.Cycle(), plan, second);

        AssertSameWeights(first.Artifact(), second.Artifact());
    }

    [Theory]
    [InlineData(WeightingKind.Fixed)]
    [InlineData(WeightingKind.Uncertainty)]
    [InlineData(WeightingKind.Dwa)]
    [InlineData(WeightingKind.GradNorm)]
    [InlineData(WeightingKind.PcGrad)]
    [InlineData(WeightingKind.CaGrad)]
    [InlineData(WeightingKind.Famo)]
    [InlineData(WeightingKind.PcGrad, EncoderKind.Gru, TrunkKind.Ple)]
    [InlineData(WeightingKind.PcGrad, EncoderKind.Lstm, TrunkKind.Stem)]
    [InlineData(WeightingKind.Fixed, EncoderKind.Cnn, TrunkKind.Mmoe)]
    [InlineData(WeightingKind.Famo, EncoderKind.Lstm, TrunkKind.SharedBottom, NextItemLossKind.SampledSoftmax, OptimizerKind.AdamW)]
    [InlineData(WeightingKind.Fixed, EncoderKind.Rnn, TrunkKind.SharedBottom, NextItemLossKind.BprMax, OptimizerKind.Sgd)]
    public void Train_StoppedAndCalledAgain_EndsWhereAnUnbrokenRunEnds(
        WeightingKind weighting, EncoderKind encoder = EncoderKind.Lstm, TrunkKind trunk = TrunkKind.SharedBottom,
        NextItemLossKind loss = NextItemLossKind.FullSoftmax, OptimizerKind optimizer = OptimizerKind.Adam)
    {
        using Workspace whole = new(), broken = new();
        var plan = TinyData.Plan(TinyData.NextItem, TinyData.Like);
        plan = plan with
        {
            Architecture = plan.Architecture with { Dropout = 0.2, Encoder = encoder, Trunk = trunk },
            Optimization = plan.Optimization with
            {
                Epochs = 4, Patience = 9, Weighting = weighting, NextItem = new() { Loss = loss, Negatives = 8 },
                Optimizer = new() { Kind = optimizer, WeightDecay = 0.01, Schedule = LearningRateSchedule.Cosine, WarmUp = 0.1 },
            },
        };
        var outcome = Train(TinyData.Cycle(), plan, whole);
        // A sampled loss of a few steps is mostly its sample.
        Assert.True(loss != NextItemLossKind.FullSoftmax || outcome.History[^1].Loss < outcome.History[0].Loss);
        Assert.Equal(1, outcome.History[0].GradientCosines![0][0], 1e-6);
        Assert.InRange(outcome.History[0].GradientCosines![0][1], -1, 1);

        using var cancellation = new CancellationTokenSource();
        var canceller = new Reporter(report =>
        {
            if (report.Epoch == 2 && report.Stage == TrainingStage.Validating)
                cancellation.Cancel();
        });
        Assert.ThrowsAny<OperationCanceledException>(() => Train(TinyData.Cycle(), plan, broken, canceller, cancellation: cancellation.Token));
        Assert.False(Path.Exists(broken.Artifact()));
        List<string> notes = [];
        Train(TinyData.Cycle(), plan, broken, note: notes.Add);

        Assert.Contains("Training goes on after epoch 1.", notes);
        AssertSameWeights(whole.Artifact(), broken.Artifact());
    }

    [Fact]
    public void Train_CheckpointOfAnotherSplit_StartsAnewAndSaysSo()
    {
        // What tests here was trained on there.
        using var space = new Workspace();
        var plan = TinyData.Plan(TinyData.NextItem);
        Train(TinyData.Cycle(beforeLast: SplitRole.Train), plan, space);
        List<string> notes = [];
        Train(TinyData.Cycle(), plan, space, note: notes.Add, version: "2");
        Assert.Contains("Training starts anew: the checkpoint is of other data or of another split.", notes);
    }

    [Fact]
    public void Train_CheckpointOfAnotherPlan_StartsAnewAndSaysSo()
    {
        using var space = new Workspace();
        var plan = TinyData.Plan(TinyData.NextItem);
        Train(TinyData.Cycle(), plan, space);
        List<string> notes = [];

        var outcome = Train(TinyData.Cycle(), plan with { Optimization = plan.Optimization with { LearningRate = 2e-3 } }, space, note: notes.Add, version: "2");

        Assert.Contains("Training starts anew: the checkpoint is of another plan.", notes);
        Assert.Equal([1, 2, 3], outcome.History.Select(epoch => epoch.Epoch));
    }

    [Fact]
    public void Train_ValidationGetsWorse_StopsAndKeepsTheBestEpoch()
    {
        using var space = new Workspace();
        var plan = TinyData.Plan(TinyData.Like);
        // The pattern is learned at once; from then on no epoch is better than the best.
        plan = plan with { Optimization = plan.Optimization with { Epochs = 60, Patience = 3 } };

        var outcome = Train(TinyData.Cycle(), plan, space);

        Assert.Equal(TrainingEnd.EarlyStopping, outcome.End);
        Assert.Equal(outcome.BestEpoch + 3, outcome.History.Count);
        Assert.Equal(outcome.History.Max(epoch => epoch.ValidationMetrics["auc/mean"]), outcome.History[outcome.BestEpoch - 1].ValidationMetrics["auc/mean"]);
        AssertSameWeights(Path.Combine(space.Checkpoint, $"epoch-{outcome.BestEpoch}"), space.Artifact());
    }

    [Fact]
    public void Train_NoValidationSplit_KeepsTheLastEpoch()
    {
        using var space = new Workspace();

        var outcome = Train(TinyData.Cycle(beforeLast: SplitRole.Train), TinyData.Plan(TinyData.NextItem), space);

        Assert.Equal(3, outcome.BestEpoch);
        Assert.Equal("last epoch", outcome.Criterion);
    }

    [Fact]
    public void Train_LearningRateNotANumber_NamesTheField()
    {
        using var space = new Workspace();
        var plan = TinyData.Plan(TinyData.NextItem);
        plan = plan with { Optimization = plan.Optimization with { LearningRate = double.NaN } };
        var refused = Assert.Throws<TrainingException>(() => Train(TinyData.Cycle(), plan, space));
        Assert.Equal("hyperparameters.learning_rate", refused.Field);
        Assert.False(Path.Exists(space.Artifact()));
    }

    [Fact]
    public void Train_PoisonedLabel_NamesTheTaskAndTheStep()
    {
        using var space = new Workspace();
        var data = TinyData.Cycle();
        var column = new float[data.EventCount];
        Array.Fill(column, 1f);
        data = new SequenceDataset
        {
            Items = data.Items, Behaviors = data.Behaviors, Categories = data.Categories, SequenceKeys = data.SequenceKeys, Offsets = data.Offsets,
            ItemIds = data.ItemIds, BehaviorIds = data.BehaviorIds, TimestampsMs = data.TimestampsMs, Values = data.Values, Roles = data.Roles,
            Fingerprint = data.Fingerprint, Labels = new Dictionary<string, float[]> { ["bought"] = column },
        };
        var task = new TaskDefinition { Name = "bought", Kind = TaskKind.Binary, Label = new LabelSource.Column("bought") };
        var tasks = TaskLabels.Build(data, [task]);
        Array.Fill(tasks[0].Label, float.PositiveInfinity);
        var plan = TinyData.Plan(task);
        TorchSharp.torch.random.manual_seed(1);
        using var model = new MultiTaskModel(TrainingPlanRules.Manifest(plan, data, tasks, DateTimeOffset.UnixEpoch), dropout: 0);
        using var adam = ParameterOptimizer.Create(model.Parameters.Named, new OptimizerPlan());
        var epoch = new TrainingEpoch(data, tasks, model, adam, new FixedWeighting([1]), NextItemLoss.Create(new NextItemPlan(), data.Items), new ModelInputs(model.Parameters.Manifest, data), clipNorm: 5);

        var failure = Assert.Throws<TrainingException>(() => epoch.Step([.. EventWindow.ForTraining(data, 10)], step: 17, learningRate: 1e-3));

        Assert.Contains("step 17", failure.Message, StringComparison.Ordinal);
        Assert.Contains("task bought", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_ArtifactExists_RefusesBeforeTraining()
    {
        using var space = new Workspace();
        Directory.CreateDirectory(space.Artifact());
        Assert.Contains("exists already", Assert.Throws<TrainingException>(() => Train(TinyData.Cycle(), TinyData.Plan(TinyData.NextItem), space)).Message, StringComparison.Ordinal);
        Assert.False(Path.Exists(space.Checkpoint));
    }

    [Fact]
    public void Train_TaskWithoutLabels_NamesTheTask()
    {
        using var space = new Workspace();
        var data = TinyData.Cycle();
        for (var t = 0; t < data.EventCount; t++)
        {
            if (data.Roles[t] == SplitRole.Train)
                data.Values[t] = float.NaN;
        }

        Assert.Contains("Task like", Assert.Throws<TrainingException>(() => Train(data, TinyData.Plan(TinyData.Like), space)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_TimeIsUp_StopsWithWhatItHas()
    {
        using var space = new Workspace();
        var plan = TinyData.Plan(TinyData.NextItem);
        plan = plan with { Optimization = plan.Optimization with { Epochs = 10_000, Patience = 10_000, MaxDuration = TimeSpan.FromMilliseconds(300) } };

        var outcome = Train(TinyData.Cycle(), plan, space);

        Assert.Equal(TrainingEnd.MaxDuration, outcome.End);
        Assert.True(Path.Exists(space.Artifact()));
    }

    private static void AssertSameWeights(string first, string second)
    {
        ModelArtifact a = ModelArtifact.Load(first), b = ModelArtifact.Load(second);
        foreach (var name in a.TensorNames)
            Assert.True(a.Weights(name).SequenceEqual(b.Weights(name)), name);
    }
}
