using Google.Protobuf.WellKnownTypes;
using GrpcRec.Engine.Models;
using GrpcRec.Trainer.Mapping;
using GrpcRec.Trainer.Worker;
using GrpcRec.Training.Events;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Losses;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Optimizers;
using GrpcRec.V1;
using TaskKind = GrpcRec.Engine.Models.TaskKind;

namespace GrpcRec.Trainer.Tests;

public sealed class MappingTests
{
    public static TheoryData<string> Labels => new(Tasks.Keys);

    private static readonly Dictionary<string, TaskDefinition> Tasks = new()
    {
        ["next"] = new() { Name = "next", Kind = TaskKind.NextItem, Weight = 0.5 },
        ["buys"] = new() { Name = "buys", Kind = TaskKind.Binary, Label = new LabelSource.Behaviors(["cart", "purchase"]) },
        ["likes"] = new() { Name = "likes", Kind = TaskKind.Binary, Label = new LabelSource.ValueAtLeast(4) },
        ["click"] = new() { Name = "click", Kind = TaskKind.Binary, Label = new LabelSource.Column("is_click") },
        ["stars"] = new() { Name = "stars", Kind = TaskKind.Multiclass, Label = new LabelSource.ValueClasses([1, 2, 3, 4, 5]) },
        ["seconds"] = new() { Name = "seconds", Kind = TaskKind.Regression, Label = new LabelSource.Column("watch_time") },
        ["price"] = new() { Name = "price", Kind = TaskKind.Regression, Label = new LabelSource.NextValue() },
        ["order"] = new() { Name = "order", Kind = TaskKind.Binary, Label = new LabelSource.Column("is_order"), Given = "click" },
        ["category"] = new() { Name = "category", Kind = TaskKind.Multiclass, Label = new LabelSource.NextCategory() },
        ["behavior"] = new() { Name = "behavior", Kind = TaskKind.Multiclass, Label = new LabelSource.NextBehavior() },
    };

    [Theory]
    [MemberData(nameof(Labels))]
    public void Task_ThereAndBack_IsTheSame(string name)
    {
        var task = Tasks[name];
        var back = Assert.Single(TaskMapping.FromWire([TaskMapping.ToWire(task)]));
        Assert.Equivalent(task, back, strict: true);
        Assert.Equal(task.Label?.GetType(), back.Label?.GetType());
    }

    [Fact]
    public void Tasks_None_AreOneNextItemTask()
    {
        var task = Assert.Single(TaskMapping.FromWire([]));
        Assert.Equal(("next", TaskKind.NextItem), (task.Name, task.Kind));
    }

    [Fact]
    public void Features_SaidOrNot_AreTakenOrTheDefaults()
    {
        var plain = ArchitectureMapping.FromWire(new Architecture());
        Assert.Empty(plain.EventFeatures);
        Assert.Empty(plain.RequestFeatures);
        Assert.Equal((false, 0.1, false, false), (plain.ItemTerms, plain.ItemTermRate, plain.RepeatTerms, plain.ItemMemory));
        var wire = new Architecture
        {
            EventFeatures = { new EventFeatureSpec { Name = "tab", EmbeddingSize = 5 }, new EventFeatureSpec { Name = "gap", Source = "time_gap", Buckets = 9 }, new EventFeatureSpec { Name = "v", Source = "value" }, new EventFeatureSpec { Name = "c", Source = "item_category" } },
            RequestFeatures = { new RequestFeatureSpec { Name = "tab" } },
            ItemTerms = true,
            ItemTermRate = 0.25,
            RepeatTerms = true,
            ItemMemory = true,
        };
        var network = ArchitectureMapping.FromWire(wire);
        Assert.Equal(
            [new("tab") { EmbeddingSize = 5 }, new("gap", Engine.Models.FeatureSource.TimeGap) { Buckets = 9 }, new("v", Engine.Models.FeatureSource.Value), new EventFeaturePlan("c", Engine.Models.FeatureSource.ItemCategory)],
            network.EventFeatures);
        Assert.Equal([new RequestFeaturePlan("tab")], network.RequestFeatures);
        Assert.Equal((true, 0.25, true, true), (network.ItemTerms, network.ItemTermRate, network.RepeatTerms, network.ItemMemory));
        // Absent ones are the preset's.
        Assert.Equal(network, ArchitectureMapping.FromWire(new Architecture(), network));
        Assert.Throws<TrainingException>(() => ArchitectureMapping.FromWire(new Architecture { EventFeatures = { new EventFeatureSpec { Name = "x", Source = "gap" } } }));
    }

    /// <summary>The contract's comments state these numbers.</summary>
    [Fact]
    public void Plan_NothingSaid_TakesTheContractsDefaults()
    {
        var plan = PlanMapping.FromWire(new TrainRequest { ModelName = "m" }, "v1");
        Assert.Equal((64, 128, 1, 0.2, true, 64, 32, 200),
            (plan.Architecture.EmbeddingSize, plan.Architecture.HiddenSize, plan.Architecture.Layers, plan.Architecture.Dropout,
                plan.Architecture.TiedItemEmbedding, plan.Architecture.BottomSize, plan.Architecture.TowerSize, plan.Architecture.MaxSequenceLength));
        Assert.Equal((20, 64, 0.003, 5.0, 5, 1L, (TimeSpan?)null),
            (plan.Optimization.Epochs, plan.Optimization.BatchSize, plan.Optimization.LearningRate, plan.Optimization.GradientClipNorm,
                plan.Optimization.Patience, plan.Optimization.Seed, plan.Optimization.MaxDuration));
        Assert.Equal((false, 0.0), (plan.ComparesSingleTasks, plan.Distillation));
    }

    [Fact]
    public void Plan_ComparedAndDistilled_IsTaken()
    {
        var plan = PlanMapping.FromWire(new TrainRequest { ModelName = "m", CompareSingleTasks = true, Hyperparameters = new() { Distillation = 0.25 } }, "v1");
        Assert.Equal((true, 0.25), (plan.ComparesSingleTasks, plan.Distillation));
    }

    [Fact]
    public void Learning_NothingSaid_TakesTheContractsDefaults()
    {
        var plan = PlanMapping.FromWire(new TrainRequest { ModelName = "m" }, "v1").Optimization;
        Assert.Equal((OptimizerKind.Adam, 0.9, 0.0, false, 0.0), (plan.Optimizer.Kind, plan.Optimizer.Momentum, plan.Optimizer.WeightDecay, plan.Optimizer.LazyEmbeddings, plan.Optimizer.WarmUp));
        Assert.Equal((NextItemLossKind.FullSoftmax, 1024, 0.75, 1.0), (plan.NextItem.Loss, plan.NextItem.Negatives, plan.NextItem.SamplingPower, plan.NextItem.ScorePenalty));
    }

    [Fact]
    public void Learning_EverythingSaid_IsTaken()
    {
        var plan = OptimizationMapping.FromWire(new Hyperparameters
        {
            Optimizer = Optimizer.Sgd, Momentum = 0.5, WeightDecay = 0.25, LazyEmbeddings = true, Schedule = V1.LearningRateSchedule.Cosine, WarmUp = 0.125,
            NextItemLoss = V1.NextItemLoss.BprMax, Negatives = 7, SamplingPower = 0.5, ScorePenalty = 2, Float32Products = true,
        });
        Assert.Equal(
            new OptimizerPlan { Kind = OptimizerKind.Sgd, Momentum = 0.5, WeightDecay = 0.25, LazyEmbeddings = true, Schedule = Training.Optimizers.LearningRateSchedule.Cosine, WarmUp = 0.125 },
            plan.Optimizer);
        Assert.Equal(new NextItemPlan { Loss = NextItemLossKind.BprMax, Negatives = 7, SamplingPower = 0.5, ScorePenalty = 2, Float32Products = true }, plan.NextItem);
    }

    [Fact]
    public void Network_NothingSaid_TakesTheContractsDefaults()
    {
        var network = PlanMapping.FromWire(new TrainRequest { ModelName = "m" }, "v1").Architecture;
        Assert.Equal((EncoderKind.Lstm, ResetPlacement.AfterProduct, 8, 16, 4), (network.Encoder, network.ResetPlacement, network.WindowLength, network.HorizontalFilters, network.VerticalFilters));
        Assert.Empty(network.FilterHeights);
        Assert.Equal((TrunkKind.SharedBottom, 4, 2, 2), (network.Trunk, network.SharedExperts, network.TaskExperts, network.TrunkLevels));
    }

    [Fact]
    public void Network_EverythingSaid_IsTaken()
    {
        var network = ArchitectureMapping.FromWire(new Architecture
        {
            Encoder = "cnn", GruReset = GruReset.BeforeProduct, WindowLength = 9, FilterHeights = { 3, 9 }, HorizontalFilters = 5, VerticalFilters = 0,
            Trunk = "ple", SharedExperts = 3, TaskExperts = 1, TrunkLevels = 1,
        });
        Assert.Equal((EncoderKind.Cnn, ResetPlacement.BeforeProduct, 9, 5, 0), (network.Encoder, network.ResetPlacement, network.WindowLength, network.HorizontalFilters, network.VerticalFilters));
        Assert.Equal([3, 9], network.FilterHeights);
        Assert.Equal((TrunkKind.Ple, 3, 1, 1), (network.Trunk, network.SharedExperts, network.TaskExperts, network.TrunkLevels));
        foreach (var (name, kind) in (ReadOnlySpan<(string, EncoderKind)>)[("lstm", EncoderKind.Lstm), ("gru", EncoderKind.Gru), ("rnn", EncoderKind.Rnn), ("bag", EncoderKind.Bag)])
            Assert.Equal(kind, ArchitectureMapping.FromWire(new Architecture { Encoder = name }).Encoder);
        foreach (var (name, kind) in (ReadOnlySpan<(string, TrunkKind)>)[("shared_bottom", TrunkKind.SharedBottom), ("mmoe", TrunkKind.Mmoe), ("cgc", TrunkKind.Cgc), ("ple", TrunkKind.Ple), ("stem", TrunkKind.Stem)])
            Assert.Equal(kind, ArchitectureMapping.FromWire(new Architecture { Trunk = name }).Trunk);
    }

    [Fact]
    public void Plan_EverythingSaid_IsTaken()
    {
        var request = new TrainRequest
        {
            ModelName = "m",
            Architecture = new Architecture { EmbeddingSize = 8, HiddenSize = 16, Layers = 2, Dropout = 0, TiedItemEmbedding = false, BottomSize = 12, TowerSize = 0, MaxSequenceLength = 7 },
            Hyperparameters = new Hyperparameters { Epochs = 3, BatchSize = 9, LearningRate = 0.1, GradientClipNorm = 2, Patience = 1, Seed = 42, MaxDuration = Duration.FromTimeSpan(TimeSpan.FromSeconds(5)) },
        };
        var plan = PlanMapping.FromWire(request, "v1");
        Assert.Equal((8, 16, 2, 0.0, false, 12, 0, 7),
            (plan.Architecture.EmbeddingSize, plan.Architecture.HiddenSize, plan.Architecture.Layers, plan.Architecture.Dropout,
                plan.Architecture.TiedItemEmbedding, plan.Architecture.BottomSize, plan.Architecture.TowerSize, plan.Architecture.MaxSequenceLength));
        Assert.Equal((3, 9, 0.1, 2.0, 1, 42L, (TimeSpan?)TimeSpan.FromSeconds(5)),
            (plan.Optimization.Epochs, plan.Optimization.BatchSize, plan.Optimization.LearningRate, plan.Optimization.GradientClipNorm,
                plan.Optimization.Patience, plan.Optimization.Seed, plan.Optimization.MaxDuration));
    }

    [Theory]
    [InlineData("../outside.csv")]
    [InlineData("/etc/passwd")]
    [InlineData("inside/../../outside.csv")]
    [InlineData("")]
    public void Path_LeavesTheDataDirectory_IsRefused(string path)
    {
        using var root = new ScratchDirectory();
        var refusal = Assert.Throws<TrainRequestException>(() => EventFileMapping.FromWire(new DataSource { Path = path }, root.Path));
        Assert.Contains("data.path", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(root.Path, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Columns_Unnamed_FallToTheReadersDefaults()
    {
        using var root = new ScratchDirectory();
        File.WriteAllText(Path.Combine(root.Path, "events.csv"), "user_id,item_id\n");
        var file = EventFileMapping.FromWire(new DataSource { Path = "events.csv", Columns = new ColumnMapping { ItemId = "sku", Labels = { "liked" } } }, root.Path);
        Assert.Equal((null, "sku"), (file.Columns.UserId, file.Columns.ItemId));
        Assert.Equal(["liked"], file.Columns.Labels);
        Assert.Equal(EventFormat.Csv, file.ResolveFormat());
    }
}
