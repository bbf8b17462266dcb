namespace GrpcRec.Training.Evaluation;

/// <param name="Low">Bound that the metric is above with a probability of 1 − (1 − level)/2.</param>
public readonly record struct ConfidenceInterval(double Low, double High);

/// <summary>What each metric was on every resample of the users; see <see cref="Bootstrap"/>.</summary>
public sealed class BootstrapSamples
{
    private readonly SortedDictionary<string, double[]> _values = new(StringComparer.Ordinal);

    internal BootstrapSamples(int resamples) => Resamples = resamples;

    /// <summary>Draws of each metric. 0: none were made.</summary>
    public int Resamples { get; }

    internal void Add(string metric, double[] values) => _values[metric] = values;

    /// <summary>Of the mean over several models on one test set, drawn alike: training seeds, for instance.</summary>
    /// <param name="runs">At least one, of the same data.</param>
    public static BootstrapSamples OfMean(IReadOnlyList<BootstrapSamples> runs)
    {
        ArgumentNullException.ThrowIfNull(runs);
        var resamples = runs.Min(run => run.Resamples);
        var mean = new BootstrapSamples(resamples);
        foreach (var metric in runs[0]._values.Keys.Where(metric => runs.All(run => run._values.ContainsKey(metric))))
            mean.Add(metric, [.. Enumerable.Range(0, resamples).Select(r => runs.Average(run => run._values[metric][r]))]);
        return mean;
    }

    /// <summary>Percentile intervals. A metric that some resample leaves undefined (no positive was drawn) has none.</summary>
    /// <param name="level">Above 0, below 1.</param>
    public IReadOnlyDictionary<string, ConfidenceInterval> Intervals(double level = 0.95)
    {
        if (!(level > 0 && level < 1))
            throw new ArgumentOutOfRangeException(nameof(level), level, "A level of confidence is above 0 and below 1.");
        var intervals = new SortedDictionary<string, ConfidenceInterval>(StringComparer.Ordinal);
        foreach (var (metric, values) in _values)
        {
            if (values.Length == 0 || !values.All(double.IsFinite))
                continue;
            double[] sorted = [.. values.Order()];
            intervals[metric] = new(Quantile(sorted, (1 - level) / 2), Quantile(sorted, (1 + level) / 2));
        }

        return intervals;
    }

    /// <summary>Linear between the two nearest order statistics.</summary>
    private static double Quantile(double[] sorted, double share)
    {
        var place = share * (sorted.Length - 1);
        var below = (int)place;
        return below + 1 == sorted.Length ? sorted[below] : sorted[below] + ((place - below) * (sorted[below + 1] - sorted[below]));
    }
}
