namespace GrpcRec.Training.Evaluation;

/// <summary>Rows of a binary task sorted by score, and each group's own area under the ROC curve: sorted once, measured a thousand times.</summary>
internal sealed class BinaryRows
{
    private readonly int[] _groupIds;
    private readonly double[] _groupAreas;
    private readonly int[] _groupRows;

    public BinaryRows(int[] groups, float[] scores, bool[] labels)
    {
        // 1. By group and score; bits of non-negative floats sort as the floats do.
        var keys = new ulong[scores.Length];
        for (var i = 0; i < keys.Length; i++)
            keys[i] = ((ulong)(uint)groups[i] << 32) | BitConverter.SingleToUInt32Bits(scores[i]);
        Array.Sort(keys, labels);
        List<int> ids = [], rows = [];
        var areas = new List<double>();
        for (var start = 0; start < keys.Length;)
        {
            var end = start + 1;
            while (end < keys.Length && keys[end] >> 32 == keys[start] >> 32)
                end++;
            if (Area(keys.AsSpan(start..end), labels.AsSpan(start..end)) is var area && !double.IsNaN(area))
            {
                ids.Add((int)(keys[start] >> 32));
                rows.Add(end - start);
                areas.Add(area);
            }

            start = end;
        }

        (_groupIds, _groupRows, _groupAreas) = ([.. ids], [.. rows], [.. areas]);

        // 2. By score; of equal ones, by group, so that sums do not hang on the order of the rows.
        for (var i = 0; i < keys.Length; i++)
            keys[i] = (keys[i] << 32) | (keys[i] >> 32);
        Array.Sort(keys, labels);
        Labels = labels;
        Groups = Array.ConvertAll(keys, key => (int)(uint)key);
        Scores = Array.ConvertAll(keys, key => BitConverter.UInt32BitsToSingle((uint)(key >> 32)));
        Losses = new double[keys.Length];
        for (var i = 0; i < Losses.Length; i++)
            Losses[i] = -Math.Log(Math.Clamp(labels[i] ? Scores[i] : 1.0 - Scores[i], BinaryMetrics.LogLossEpsilon, 1));
        BinEnds = EqualMassBins.Ends(Scores);
    }

    /// <summary>[N] ascending.</summary>
    public float[] Scores { get; }

    /// <summary>[N]</summary>
    public bool[] Labels { get; }

    /// <summary>[N]</summary>
    public int[] Groups { get; }

    /// <summary>[N] log-loss of each row, nats.</summary>
    public double[] Losses { get; }

    /// <summary>One past the last row of each bin of equal mass.</summary>
    public int[] BinEnds { get; }

    /// <param name="weights">Times that each group counts; empty: once each.</param>
    /// <returns>Mean area of the groups that have both labels, by their rows; NaN when there is none.</returns>
    public double GroupArea(ReadOnlySpan<int> weights)
    {
        double weighted = 0, rows = 0;
        for (var g = 0; g < _groupIds.Length; g++)
        {
            var weight = (double)_groupRows[g] * (weights.IsEmpty ? 1 : weights[_groupIds[g]]);
            weighted += weight * _groupAreas[g];
            rows += weight;
        }

        return weighted / rows;
    }

    /// <summary>Pairs in the right order over all pairs, in one pass over rows sorted by score; NaN when a label is missing.</summary>
    private static double Area(ReadOnlySpan<ulong> keys, ReadOnlySpan<bool> labels)
    {
        long positives = 0, negatives = 0;
        double ordered = 0;
        for (var start = 0; start < keys.Length;)
        {
            long tiedPositives = 0, tiedNegatives = 0;
            var end = start;
            for (; end < keys.Length && keys[end] == keys[start]; end++)
            {
                if (labels[end])
                    tiedPositives++;
                else
                    tiedNegatives++;
            }

            ordered += tiedPositives * (negatives + (0.5 * tiedNegatives));
            positives += tiedPositives;
            negatives += tiedNegatives;
            start = end;
        }

        return ordered / ((double)positives * negatives);
    }
}
