namespace GrpcRec.Training.Evaluation;

/// <summary>
/// rmse, mae and count of one regression task, in the labels' unit, written as <c>metric/task</c>; r2, the share of the labels' variance that
/// is explained, not defined where they are all alike. Memory: 20 bytes a row.
/// </summary>
public sealed class RegressionMetrics : IMetricFamily
{
    private static readonly string[] AllKinds = ["rmse", "mae", "r2"];
    private readonly List<Row> _rows = [];

    private readonly record struct Row(double Label, double Error, int Group);

    /// <summary>Rows added.</summary>
    public long Count => _rows.Count;

    public IReadOnlyList<string> Kinds => AllKinds;

    long IMetricFamily.RowCount => _rows.Count;

    /// <param name="prediction">Finite.</param>
    /// <param name="group">For the bootstrap, from 0: the sequence.</param>
    public void Add(double prediction, double label, int group = 0)
    {
        if (!double.IsFinite(prediction) || !double.IsFinite(label))
            throw new ArgumentOutOfRangeException(nameof(prediction), prediction, "A regression is measured on finite numbers.");
        ArgumentOutOfRangeException.ThrowIfNegative(group);
        _rows.Add(new Row(label, prediction - label, group));
    }

    /// <summary>Writes the count, and the rest when there is a row.</summary>
    public void AddTo(IDictionary<string, double> metrics, string taskName)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        metrics["count/" + taskName] = Count;
        if (Count == 0)
            return;
        Span<double> values = stackalloc double[AllKinds.Length];
        Measure([], values);
        for (var i = 0; i < values.Length; i++)
        {
            if (!double.IsNaN(values[i]))
                metrics[$"{AllKinds[i]}/{taskName}"] = values[i];
        }
    }

    public void Prepare()
    {
    }

    public void Measure(ReadOnlySpan<int> weights, Span<double> values)
    {
        double count = 0, squares = 0, absolute = 0, mean = 0, spread = 0;
        foreach (var row in _rows)
        {
            double weight = weights.IsEmpty ? 1 : weights[row.Group];
            if (weight == 0)
                continue;
            count += weight;
            squares += weight * row.Error * row.Error;
            absolute += weight * Math.Abs(row.Error);
            // West's weighted form of Welford's sum of squares.
            var difference = row.Label - mean;
            mean += difference * weight / count;
            spread += weight * difference * (row.Label - mean);
        }

        values[0] = count > 0 ? Math.Sqrt(squares / count) : double.NaN;
        values[1] = count > 0 ? absolute / count : double.NaN;
        values[2] = spread > 0 ? 1 - (squares / spread) : double.NaN;
    }
}
