namespace GrpcRec.Training.Evaluation;

/// <summary>
/// auc, gauc, logloss, accuracy, precision, recall, f1, positives and count of one binary task, written as <c>metric/task</c>.
/// The area under the ROC curve is exact: the share of (positive, negative) pairs in the right order, a tie counting one half.
/// gauc is the same inside each group, averaged with the groups' rows as weights over the groups that have both labels.
/// Memory: 9 bytes a row.
/// </summary>
public sealed class BinaryMetrics
{
    /// <summary>A probability counts as positive from here on.</summary>
    public const float Threshold = 0.5f;

    /// <summary>Probabilities are kept this far from 0 and 1 in the log-loss, so that one sure mistake is dear and not infinite.</summary>
    public const double LogLossEpsilon = 1e-7;

    // Group in the high half, the probability's bits in the low half: bits of non-negative floats sort as the floats do.
    private readonly List<ulong> _keys = [];
    private readonly List<bool> _labels = [];
    private double _logLoss;
    private long _truePositives, _falsePositives, _falseNegatives;

    /// <summary>Rows added.</summary>
    public int Count => _keys.Count;

    /// <param name="group">For gauc, from 0: the sequence.</param>
    /// <param name="score">Probability of a true label, 0 to 1.</param>
    public void Add(int group, float score, bool label)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(group);
        if (!(score >= 0 && score <= 1))
            throw new ArgumentOutOfRangeException(nameof(score), score, "A binary task is scored with a probability, 0 to 1.");

        _keys.Add(((ulong)(uint)group << 32) | BitConverter.SingleToUInt32Bits(score + 0f)); // -0 becomes 0
        _labels.Add(label);
        var likelihood = label ? score : 1.0 - score;
        _logLoss -= Math.Log(Math.Clamp(likelihood, LogLossEpsilon, 1));
        var predicted = score >= Threshold;
        if (predicted && label)
            _truePositives++;
        else if (predicted)
            _falsePositives++;
        else if (label)
            _falseNegatives++;
    }

    /// <summary>Writes what is defined: auc and recall need both labels or a positive, precision a positive prediction.</summary>
    public void AddTo(IDictionary<string, double> metrics, string taskName)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        double count = _keys.Count;
        metrics["count/" + taskName] = count;
        if (count == 0)
            return;

        var positives = _truePositives + _falseNegatives;
        metrics["positives/" + taskName] = positives / count;
        metrics["logloss/" + taskName] = _logLoss / count;
        metrics["accuracy/" + taskName] = (count - _falsePositives - _falseNegatives) / count;
        if (_truePositives + _falsePositives > 0)
            metrics["precision/" + taskName] = (double)_truePositives / (_truePositives + _falsePositives);
        if (positives > 0)
            metrics["recall/" + taskName] = (double)_truePositives / positives;
        if (positives + _falsePositives > 0)
            metrics["f1/" + taskName] = 2.0 * _truePositives / (positives + _truePositives + _falsePositives);

        ulong[] keys = [.. _keys];
        bool[] labels = [.. _labels];
        Array.Sort(keys, labels);
        if (GroupAuc(keys, labels) is { } groupAuc)
            metrics["gauc/" + taskName] = groupAuc;

        for (var i = 0; i < keys.Length; i++)
            keys[i] &= uint.MaxValue;
        Array.Sort(keys, labels);
        if (Auc(keys, labels) is { } auc)
            metrics["auc/" + taskName] = auc;
    }

    private static double? GroupAuc(ReadOnlySpan<ulong> keys, ReadOnlySpan<bool> labels)
    {
        double weighted = 0, weight = 0;
        for (var start = 0; start < keys.Length;)
        {
            var end = start + 1;
            while (end < keys.Length && keys[end] >> 32 == keys[start] >> 32)
                end++;
            if (Auc(keys[start..end], labels[start..end]) is { } auc)
            {
                weighted += auc * (end - start);
                weight += end - start;
            }

            start = end;
        }

        return weight > 0 ? weighted / weight : null;
    }

    /// <summary>Pairs in the right order over all pairs, in one pass over rows sorted by score; null when a label is missing.</summary>
    private static double? Auc(ReadOnlySpan<ulong> keys, ReadOnlySpan<bool> labels)
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

            ordered += tiedPositives * (negatives + 0.5 * tiedNegatives);
            positives += tiedPositives;
            negatives += tiedNegatives;
            start = end;
        }

        return positives == 0 || negatives == 0 ? null : ordered / ((double)positives * negatives);
    }
}
