namespace GrpcRec.Training.Evaluation;

/// <summary>One bin of a reliability diagram.</summary>
/// <param name="MeanPredicted">Mean probability that was predicted in it.</param>
/// <param name="ObservedRate">Share of its rows where that came true.</param>
/// <param name="Count">Its rows.</param>
public readonly record struct CalibrationBin(double MeanPredicted, double ObservedRate, long Count);

/// <summary>
/// Rows in bins of as many rows each, by predicted probability: bins of equal width would leave most of them empty where positives are
/// rare. Equal probabilities stay together, so that the bins do not hang on the rows' order.
/// The expected calibration error is Σ n/N · |mean predicted − observed rate| over them (Nixon et al., 2019).
/// </summary>
internal static class EqualMassBins
{
    public const int MaxBins = 10;

    /// <param name="sorted">Ascending.</param>
    /// <returns>One past the last row of each bin.</returns>
    public static int[] Ends(ReadOnlySpan<float> sorted)
    {
        var ends = new List<int>(MaxBins);
        var previous = 0;
        for (var bin = 1; bin <= MaxBins; bin++)
        {
            var end = (int)((long)sorted.Length * bin / MaxBins);
            while (end > 0 && end < sorted.Length && sorted[end] == sorted[end - 1])
                end++;
            if (end <= previous)
                continue;
            ends.Add(end);
            previous = end;
        }

        return [.. ends];
    }

    /// <param name="predicted">[N] ascending.</param>
    /// <param name="happened">[N]</param>
    public static CalibrationBin[] Describe(ReadOnlySpan<float> predicted, ReadOnlySpan<bool> happened)
    {
        var bins = new List<CalibrationBin>(MaxBins);
        var row = 0;
        foreach (var end in Ends(predicted))
        {
            var start = row;
            double sum = 0, came = 0;
            for (; row < end; row++)
            {
                sum += predicted[row];
                came += happened[row] ? 1 : 0;
            }

            bins.Add(new CalibrationBin(sum / (end - start), came / (end - start), end - start));
        }

        return [.. bins];
    }
}
