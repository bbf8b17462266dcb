using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Evaluation;

/// <summary>Measures a model in float32 and in reduced precisions, through the engine that serves it, on the validation split.</summary>
public static class PrecisionEvaluator
{
    /// <summary>The fastest first, as the benchmarks have them (docs/BENCHMARKS.md).</summary>
    public static IReadOnlyList<Precision> Reduced { get; } = [Precision.Int8, Precision.Bf16];

    /// <param name="precisions">Those to measure, the fastest first; any of <see cref="Reduced"/>.</param>
    /// <param name="maxRelativeLoss">Of float32's metric.</param>
    /// <param name="progress">Told what is measured, and the share of it that is done, 0…1.</param>
    /// <exception cref="EvaluationException">The data is not the model's, has no validation target, or the metric says nothing.</exception>
    /// <exception cref="Engine.Steps.EngineException">The encoder has no reduced form.</exception>
    public static PrecisionReport Evaluate(
        ModelArtifact artifact, SequenceDataset dataset, IReadOnlyList<TaskDefinition> tasks, EvaluationPlan plan,
        IReadOnlyList<Precision> precisions, double maxRelativeLoss, IProgress<(Precision, double)>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(precisions);
        if (!dataset.Roles.Contains(SplitRole.Validation))
            throw new EvaluationException("The split leaves no validation target, so nothing tells what a precision costs; split so that some events are validation.");
        var labels = TaskLabels.Build(dataset, tasks);
        (string Metric, double Value) Measure(Precision precision) => SelectionCriterion.Of(
            ModelEvaluator.Evaluate(
                artifact, dataset, tasks, plan, SplitRole.Validation, precision,
                progress is null ? null : new Share(share => progress.Report((precision, share))), cancellation),
            labels, epoch: 0);

        var (metric, float32) = Measure(Precision.Float32);
        if (metric == SelectionCriterion.LastEpoch || !double.IsFinite(float32) || float32 == 0)
            throw new EvaluationException($"The model's {metric} on the validation split is {float32} in float32, of which no loss can be told; train it further, or give the data that it was trained on.");
        return new PrecisionReport
        {
            Metric = metric,
            Float32 = float32,
            Measured = [.. precisions.Select(precision => new PrecisionManifest(precision, metric, float32, Measure(precision).Value, maxRelativeLoss))],
        };
    }

    private sealed class Share(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}
