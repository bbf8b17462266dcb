using System.Text.Json.Nodes;
using GrpcRec.Engine.Models;
using GrpcRec.Trainer.Tuning;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Losses;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Optimizers;
using GrpcRec.Training.Weighting;

namespace GrpcRec.Trainer.Benchmarks;

/// <summary>A standing benchmark: which data, which protocol, and the settings to start from; what `tune` finds on the validation split goes over them.</summary>
sealed record BenchmarkPreset
{
    public required string Name { get; init; }
    public required string Title { get; init; }
    public required IReadOnlyList<TaskDefinition> Tasks { get; init; }
    public required ArchitecturePlan Architecture { get; init; }
    public required OptimizationPlan Optimization { get; init; }
    public required EvaluationPlan Evaluation { get; init; }

    /// <inheritdoc cref="TrainingPlan.Distillation"/>
    public double Distillation { get; init; }

    /// <param name="version">Of the model to make.</param>
    public TrainingPlan ToPlan(string version) => new()
    {
        ModelName = Name, ModelVersion = version, Tasks = Tasks, Architecture = Architecture, Optimization = Optimization, Evaluation = Evaluation, Distillation = Distillation,
    };

    /// <summary>With other settings over its own.</summary>
    /// <exception cref="TrainingException">A name or a value that a plan does not have.</exception>
    public BenchmarkPreset With(JsonObject settings)
    {
        var plan = PlanSettings.Apply(ToPlan("unused"), settings);
        return this with { Tasks = plan.Tasks, Architecture = plan.Architecture, Optimization = plan.Optimization, Distillation = plan.Distillation };
    }

    private static readonly IReadOnlyList<TaskDefinition> NextItemAlone = [new() { Name = "next", Kind = TaskKind.NextItem }];

    public static IReadOnlyList<BenchmarkPreset> All { get; } =
    [
        new()
        {
            Name = "b1a",
            Title = "ML-1M, leave-one-out, all items ranked, seen ones masked",
            Tasks = NextItemAlone,
            // Seen items are masked, but a state that need not push them down has more room for the others.
            Architecture = new() { EmbeddingSize = 64, HiddenSize = 128, MaxSequenceLength = 200, RepeatTerms = true },
            Optimization = new() { Epochs = 60, BatchSize = 64, LearningRate = 3e-3, Patience = 6, MaxDuration = TimeSpan.FromMinutes(45) },
            Evaluation = new() { MaskSeen = true },
        },
        new()
        {
            Name = "b1b",
            Title = "ML-1M, rating ≥ 3, 10-core, leave-one-out, all items ranked, seen ones not masked",
            Tasks = NextItemAlone,
            Architecture = new() { Encoder = EncoderKind.Gru, EmbeddingSize = 64, HiddenSize = 128, MaxSequenceLength = 50, Dropout = 0.3, RepeatTerms = true },
            Optimization = new()
            {
                // Windows overlap by half: serving reads fifty events before every target.
                Epochs = 60, BatchSize = 64, MinContext = 25, LearningRate = 3e-3, Patience = 6, MaxDuration = TimeSpan.FromMinutes(45),
                Optimizer = new() { WarmUp = 0.02 },
            },
            Evaluation = new() { MaskSeen = false },
        },
        new()
        {
            // Seven events a user and sixteen an item: likeness to the items read tells most, and what is learnt must be dropped often.
            Name = "b1c",
            Title = "Amazon Beauty, leave-one-out, all items ranked, seen ones masked",
            Tasks = NextItemAlone,
            Architecture = new() { Encoder = EncoderKind.Gru, EmbeddingSize = 128, HiddenSize = 128, MaxSequenceLength = 20, Dropout = 0.7, ItemMemory = true },
            Optimization = new()
            {
                Epochs = 12, BatchSize = 128, LearningRate = 2.5e-3, Patience = 12, MaxDuration = TimeSpan.FromMinutes(40),
                Optimizer = new() { Schedule = LearningRateSchedule.Cosine, WarmUp = 0.02 },
                NextItem = new() { Loss = NextItemLossKind.SampledSoftmax, Negatives = 8192, SamplingPower = 0.5 },
            },
            Evaluation = new() { MaskSeen = true },
        },
        new()
        {
            Name = "b2",
            Title = "KuaiRand-Pure, four tasks in one model, split by date",
            // All but some of them follow a click: 99.6 % of long views and 93 % of profile visits, but 82 % of likes.
            Tasks = [Binary("click"), Binary("long_view", given: "click"), Binary("like"), Binary("profile_enter", given: "click")],
            Architecture = new()
            {
                EmbeddingSize = 32, HiddenSize = 128, MaxSequenceLength = 50, Dropout = 0.3, Trunk = TrunkKind.Cgc, SharedExperts = 2, TaskExperts = 1,
                // A profile visit and the share played are known of earlier exposures alone; the page and the hour, and who looks, of the one asked about.
                EventFeatures =
                [
                    new("tab"), new("gap", FeatureSource.TimeGap) { Buckets = 12 }, new("profile"), new("played", FeatureSource.Value) { Buckets = 8 }, new("tag", FeatureSource.ItemCategory),
                ],
                RequestFeatures =
                [
                    new("tab"), new("hour"), new("user_active_degree"), new("is_video_author"), new("follow_user_num_range"), new("fans_user_num_range"),
                    new("friend_user_num_range"), new("register_days_range"), new("onehot_feat1"), new("onehot_feat2"), new("onehot_feat4"),
                ],
                ItemTerms = true,
                ItemTermRate = 0.03,
            },
            Optimization = new()
            {
                // Frequent labels are learnt best in three epochs and rare ones in two; a rate that ends near zero lets each keep what it has.
                Epochs = 4, BatchSize = 128, LearningRate = 1.5e-3, Patience = 4, MaxDuration = TimeSpan.FromMinutes(20), Weighting = WeightingKind.Uncertainty,
                Optimizer = new() { Schedule = LearningRateSchedule.Cosine, WarmUp = 0.05 },
            },
            Distillation = 0.8,
            Evaluation = new(),
        },
        new()
        {
            Name = "b3",
            Title = "ML-1M, next item, like and rating in one model, leave-one-out, all items ranked, seen ones masked",
            Tasks =
            [
                .. NextItemAlone,
                new() { Name = "like", Kind = TaskKind.Binary, Label = new LabelSource.ValueAtLeast(4) },
                new() { Name = "rating", Kind = TaskKind.Multiclass, Label = new LabelSource.ValueClasses([1, 2, 3, 4, 5]) },
            ],
            Architecture = new()
            {
                EmbeddingSize = 64, HiddenSize = 128, MaxSequenceLength = 200, RepeatTerms = true,
                // How a user rated is known of earlier films; how a film is rated, of the training part.
                EventFeatures = [new("stars", FeatureSource.Value) { Buckets = 5 }], ItemTerms = true, ItemTermRate = 0.03,
            },
            Optimization = new() { Epochs = 60, BatchSize = 64, LearningRate = 3e-3, Patience = 6, MaxDuration = TimeSpan.FromMinutes(50) },
            Evaluation = new() { MaskSeen = true },
        },
        new()
        {
            // A session has five clicks on average and 70 at most; what was clicked long ago in it says little.
            Name = "b4",
            Title = "Diginetica, last click of later sessions, all items ranked, seen ones not masked",
            Tasks = NextItemAlone,
            Architecture = new() { EmbeddingSize = 64, HiddenSize = 128, MaxSequenceLength = 20, Dropout = 0.3, ItemMemory = true },
            Optimization = new()
            {
                Epochs = 6, BatchSize = 128, LearningRate = 2.5e-3, Patience = 6, MaxDuration = TimeSpan.FromMinutes(40),
                Optimizer = new() { Schedule = LearningRateSchedule.Cosine, WarmUp = 0.02 },
                NextItem = new() { Loss = NextItemLossKind.SampledSoftmax, Negatives = 4096, SamplingPower = 0.5 },
            },
            Evaluation = new() { MaskSeen = false },
        },
    ];

    private static TaskDefinition Binary(string column, string? given = null) =>
        new() { Name = column, Kind = TaskKind.Binary, Label = new LabelSource.Column(column), Given = given };
}
