using GrpcRec.Engine.Models;
using GrpcRec.Training.Evaluation;

namespace GrpcRec.Training.Learning;

/// <summary>Why training ended.</summary>
public enum TrainingEnd
{
    /// <summary>All epochs of the plan were made.</summary>
    Epochs,

    /// <summary>Patience ran out without a better validation result.</summary>
    EarlyStopping,

    MaxDuration,
}

/// <summary>One epoch, or the part of one that the time allowed.</summary>
/// <param name="Loss">Σ λ·L, mean over the epoch's steps, nats.</param>
/// <param name="TaskLosses">Each task's own, before its weight.</param>
/// <param name="ValidationMetrics">Empty without a validation split.</param>
/// <param name="GradientNorm">Mean over steps, before clipping.</param>
/// <param name="Seconds">Training and validation.</param>
public sealed record EpochRecord(
    int Epoch, double Loss, IReadOnlyDictionary<string, double> TaskLosses, IReadOnlyDictionary<string, double> ValidationMetrics,
    double GradientNorm, double Seconds)
{
    /// <summary>[K][K] mean cosines between the tasks' gradients on shared parameters; NaN: never met. Null with one task.</summary>
    public double[][]? GradientCosines { get; init; }
}

/// <param name="Manifest">As it was written, with test metrics.</param>
/// <param name="Test">On the test split, through the engine; without metrics where there is none.</param>
/// <param name="BestEpoch">Whose weights were written.</param>
/// <param name="Criterion">What chose it, for example <c>ndcg@10</c>; <c>last epoch</c> without a validation split.</param>
public sealed record TrainingOutcome(
    ModelManifest Manifest, EvaluationReport Test, IReadOnlyList<EpochRecord> History, int BestEpoch, string Criterion, TrainingEnd End)
{
    /// <summary>The criterion's value at the best epoch.</summary>
    public double BestValue { get; init; }

    /// <summary>Test metrics of each task's own model, by task; null: none was trained.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>>? SingleTasks { get; init; }

    /// <summary>On the test split.</summary>
    public IReadOnlyDictionary<string, double> Metrics => Test.Metrics;
}
