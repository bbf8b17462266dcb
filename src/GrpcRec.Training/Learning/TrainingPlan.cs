using GrpcRec.Training.Losses;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Optimizers;
using GrpcRec.Training.Weighting;

namespace GrpcRec.Training.Learning;

/// <summary>All that a training run is told, beside its data.</summary>
public sealed record TrainingPlan
{
    public required string ModelName { get; init; }
    public required string ModelVersion { get; init; }
    public required IReadOnlyList<TaskDefinition> Tasks { get; init; }
    public ArchitecturePlan Architecture { get; init; } = new();
    public OptimizationPlan Optimization { get; init; } = new();
    public EvaluationPlan Evaluation { get; init; } = new();

    /// <summary>Also train each task alone, first, to tell what the tasks have of each other. Of no effect with one task.</summary>
    public bool ComparesSingleTasks { get; init; }

    /// <summary>
    /// Share of a binary task's label that is its teacher's probability, 0 (none) to 1; the teacher is a model of that task alone, trained first with
    /// the same network, settings and seed (Clark et al., "BAM! Born-again multi-task networks", ACL 2019).
    /// </summary>
    public double Distillation { get; init; }

    /// <exception cref="TrainingException">A field is out of its range.</exception>
    public void Check() => TrainingPlanRules.Check(this);

    /// <summary>Of all that shapes the weights: plans with the same one can go on with each other's checkpoints.</summary>
    public string Fingerprint() => TrainingPlanRules.Fingerprint(this);
}

public sealed record OptimizationPlan
{
    public int Epochs { get; init; } = 20;
    public int BatchSize { get; init; } = 64;

    /// <summary>
    /// Events before a training target at least, or all that there are; below MaxSequenceLength. Above 0 windows overlap by as many: for short
    /// windows cut from long histories, whose targets would otherwise see half a window on average while serving reads a whole one.
    /// </summary>
    public int MinContext { get; init; }
    public double LearningRate { get; init; } = 3e-3;
    public OptimizerPlan Optimizer { get; init; } = new();
    public NextItemPlan NextItem { get; init; } = new();

    /// <summary>How the tasks' losses are combined.</summary>
    public WeightingKind Weighting { get; init; } = WeightingKind.Fixed;
    public double GradientClipNorm { get; init; } = 5;

    /// <summary>Epochs without a better validation result before training stops.</summary>
    public int Patience { get; init; } = 5;

    /// <summary>null: no limit.</summary>
    public TimeSpan? MaxDuration { get; init; }
    public long Seed { get; init; } = 1;
}

public sealed record EvaluationPlan
{
    /// <summary>Leave the items of the input sequence out of the ranking (but never the target).</summary>
    public bool MaskSeen { get; init; }

    /// <summary>
    /// Score all of a sequence's targets after the events before the first of them, as a page of candidates is ranked, and not each after what
    /// became of those before it. Without it GAUC counts against every model that learns as it reads: of a user's few targets, those after a click
    /// are the ones that are left when one click is taken out, so what rightly rises with a click is wrong within the user. Not of next_item.
    /// </summary>
    public bool FromOneState { get; init; }

    /// <summary>Cut-offs of the ranking metrics.</summary>
    public IReadOnlyList<int> Cutoffs { get; init; } = [5, 10, 20];
}

/// <summary>Told after every few steps, from the training thread.</summary>
public sealed record TrainingProgressReport
{
    public required TrainingStage Stage { get; init; }

    /// <summary>The task whose model alone is at it; null: the model that was asked for.</summary>
    public string? SingleTask { get; init; }

    public int Epoch { get; init; }
    public int Epochs { get; init; }
    /// <summary>Of all epochs.</summary>
    public long Step { get; init; }
    public long Steps { get; init; }

    /// <summary>Weighted sum, mean over the epoch so far, nats.</summary>
    public double Loss { get; init; }
    public IReadOnlyDictionary<string, double> TaskLosses { get; init; } = new Dictionary<string, double>();
    public IReadOnlyDictionary<string, double> ValidationMetrics { get; init; } = new Dictionary<string, double>();
    public TimeSpan? Remaining { get; init; }
    public int BestEpoch { get; init; }
}

public enum TrainingStage { Importing, Training, Validating, Testing, Writing }
