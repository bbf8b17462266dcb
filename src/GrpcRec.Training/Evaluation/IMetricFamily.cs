namespace GrpcRec.Training.Evaluation;

/// <summary>
/// Metrics that are known from how often each group of rows (a user, a session) counts: once each gives the figure itself, drawn with
/// replacement gives a resample of the bootstrap.
/// </summary>
internal interface IMetricFamily
{
    /// <summary>For example <c>auc</c>; the task's name comes behind it.</summary>
    IReadOnlyList<string> Kinds { get; }

    /// <summary>Rows added.</summary>
    long RowCount { get; }

    /// <summary>To be called after the last row and before <see cref="Measure"/>.</summary>
    void Prepare();

    /// <summary>Several threads may call it at once.</summary>
    /// <param name="weights">Times that each group counts; empty: once each.</param>
    /// <param name="values">[Kinds] written; NaN where a metric is not defined.</param>
    void Measure(ReadOnlySpan<int> weights, Span<double> values);
}
