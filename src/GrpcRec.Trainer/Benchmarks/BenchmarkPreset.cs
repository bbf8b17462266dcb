using GrpcRec.Engine.Models;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Trainer.Benchmarks;

/// <summary>A standing benchmark: which data, which protocol, and the settings of this model for it, chosen on its validation split.</summary>
sealed record BenchmarkPreset
{
    public required string Name { get; init; }
    public required string Title { get; init; }
    public required IReadOnlyList<TaskDefinition> Tasks { get; init; }
    public required ArchitecturePlan Architecture { get; init; }
    public required OptimizationPlan Optimization { get; init; }
    public required EvaluationPlan Evaluation { get; init; }

    private static readonly IReadOnlyList<TaskDefinition> NextItemAlone = [new() { Name = "next", Kind = TaskKind.NextItem }];

    public static IReadOnlyList<BenchmarkPreset> All { get; } =
    [
        new()
        {
            Name = "b1a",
            Title = "ML-1M, leave-one-out, all items ranked, seen ones masked",
            Tasks = NextItemAlone,
            Architecture = new() { EmbeddingSize = 64, HiddenSize = 128, MaxSequenceLength = 200 },
            Optimization = new() { Epochs = 60, BatchSize = 64, LearningRate = 3e-3, Patience = 6, MaxDuration = TimeSpan.FromMinutes(15) },
            Evaluation = new() { MaskSeen = true },
        },
        new()
        {
            Name = "b1b",
            Title = "ML-1M, rating ≥ 3, 10-core, leave-one-out, all items ranked, seen ones not masked",
            Tasks = NextItemAlone,
            Architecture = new() { EmbeddingSize = 64, HiddenSize = 128, MaxSequenceLength = 50 },
            Optimization = new() { Epochs = 60, BatchSize = 128, LearningRate = 3e-3, Patience = 6, MaxDuration = TimeSpan.FromMinutes(15) },
            Evaluation = new() { MaskSeen = false },
        },
        new()
        {
            Name = "b2",
            Title = "KuaiRand-Pure, four tasks in one model, split by date",
            Tasks = [Binary("click"), Binary("long_view"), Binary("like"), Binary("profile_enter")],
            Architecture = new() { EmbeddingSize = 32, HiddenSize = 64, MaxSequenceLength = 100, Dropout = 0.3 },
            Optimization = new() { Epochs = 20, BatchSize = 128, LearningRate = 1e-3, Patience = 3, MaxDuration = TimeSpan.FromMinutes(10) },
            Evaluation = new(),
        },
    ];

    private static TaskDefinition Binary(string column) =>
        new() { Name = column, Kind = TaskKind.Binary, Label = new LabelSource.Column(column) };
}
