namespace GrpcRec.Training.Evaluation;

/// <summary>All that is known of a model on one part of the data.</summary>
public sealed record EvaluationReport
{
    /// <summary>
    /// hr@k, ndcg@k, mrr@k, recall@k, coverage@k; metric/task; auc/mean, and with several tasks accuracy, precision, recall and f1/mean.
    /// Empty when the part has no target.
    /// </summary>
    public required IReadOnlyDictionary<string, double> Metrics { get; init; }

    /// <summary>
    /// Of all metrics but counts and coverage@k, whose resamples would be biased: fewer different users recommend fewer different items.
    /// </summary>
    public required BootstrapSamples Bootstrap { get; init; }

    /// <summary>By task, bins of equal mass, ascending. Binary: the rate of positives. Multi-class: how often the predicted class was right.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<CalibrationBin>> Calibration { get; init; }
}
