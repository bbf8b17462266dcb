using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.Learning;

/// <summary>Where a number of the training targets is cut into intervals.</summary>
internal static class FeatureBoundaries
{
    /// <summary>
    /// Even on a logarithmic scale from the first to the last percentile of the gaps before training targets that are above 0, in whole
    /// milliseconds: gaps within a session and gaps of days then have intervals of their own.
    /// </summary>
    /// <returns>Ascending, at most <paramref name="buckets"/> - 1; empty when there is no gap.</returns>
    public static double[] OfGaps(SequenceDataset dataset, int buckets)
    {
        var gaps = new List<double>();
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            for (var t = dataset.Offsets[s] + 1; t < dataset.Offsets[s + 1]; t++)
            {
                var gap = dataset.TimestampsMs[t] - dataset.TimestampsMs[t - 1];
                if (dataset.Roles[t] == SplitRole.Train && gap > 0)
                    gaps.Add(gap);
            }
        }

        if (gaps.Count == 0)
            return [];
        gaps.Sort();
        double low = gaps[gaps.Count / 100], high = gaps[^(1 + (gaps.Count / 100))];
        var last = Math.Max(1, buckets - 2);
        return [.. Enumerable.Range(0, buckets - 1).Select(i => Math.Round(low * Math.Pow(high / low, (double)i / last))).Distinct()];
    }

    /// <summary>
    /// Quantiles of the values of training targets, halfway to the next value: a rating of 4 is then nowhere near a boundary, however it was
    /// rounded on its way.
    /// </summary>
    /// <returns>Ascending, at most <paramref name="buckets"/> - 1; empty when all values are alike or there are none.</returns>
    public static double[] OfValues(SequenceDataset dataset, int buckets)
    {
        var values = new List<float>();
        for (var t = 0; t < dataset.EventCount; t++)
        {
            if (dataset.Roles[t] == SplitRole.Train && float.IsFinite(dataset.Values[t]))
                values.Add(dataset.Values[t]);
        }

        values.Sort();
        var boundaries = new SortedSet<double>();
        for (var bucket = 1; bucket < buckets && values.Count > 0; bucket++)
        {
            // The quantile begins a bucket, or ends one where nothing is below it.
            var quantile = values[(int)((long)bucket * values.Count / buckets)];
            var below = values.BinarySearchFirst(quantile) - 1;
            var above = values.FindIndex(below + 1, value => value > quantile);
            if (below >= 0)
                boundaries.Add(((double)values[below] + quantile) / 2);
            else if (above >= 0)
                boundaries.Add(((double)quantile + values[above]) / 2);
        }

        return [.. boundaries];
    }

    /// <returns>Of a sorted list the first place that is not below a value in it.</returns>
    private static int BinarySearchFirst(this List<float> sorted, float value)
    {
        int low = 0, high = sorted.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (sorted[middle] < value)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
