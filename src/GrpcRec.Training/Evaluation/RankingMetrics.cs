using System.Globalization;

namespace GrpcRec.Training.Evaluation;

/// <summary>
/// hr@k, ndcg@k, mrr@k and recall@k over rankings with one target each, for every cut-off k.
/// With one target the ideal DCG is 1, so ndcg@k is 1/log2(1 + rank), and recall@k is hr@k.
/// Memory: 8 bytes a target.
/// </summary>
public sealed class RankingMetrics : IMetricFamily
{
    private const int KindsPerCutoff = 4;
    private readonly int[] _cutoffs;
    private readonly List<int> _groups = [];
    private readonly List<int> _ranks = [];
    private int[] _groupOf = [], _bands = [];
    private double[] _gains = [], _reciprocals = [];

    /// <param name="cutoffs">At least one, each from 1.</param>
    public RankingMetrics(IReadOnlyList<int> cutoffs)
    {
        ArgumentNullException.ThrowIfNull(cutoffs);
        if (cutoffs.Count == 0)
            throw new ArgumentException("Ranking metrics need at least one cut-off.", nameof(cutoffs));
        foreach (var cutoff in cutoffs)
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(cutoff, nameof(cutoffs));
        _cutoffs = [.. cutoffs.Distinct().Order()];
        Kinds = [.. _cutoffs.Select(k => k.ToString(CultureInfo.InvariantCulture)).SelectMany(k => new[] { "hr@" + k, "ndcg@" + k, "mrr@" + k, "recall@" + k })];
    }

    /// <summary>Targets added.</summary>
    public long Count => _ranks.Count;

    /// <summary>By cut-off, ascending.</summary>
    public IReadOnlyList<string> Kinds { get; }

    long IMetricFamily.RowCount => _ranks.Count;

    /// <param name="rank">Of the target, from 1. Past the last cut-off any number will do.</param>
    /// <param name="group">Whose target it is, from 0: the sequence.</param>
    public void Add(int rank, int group = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rank);
        ArgumentOutOfRangeException.ThrowIfNegative(group);
        _ranks.Add(rank);
        _groups.Add(group);
    }

    /// <summary>Writes the means. Without a target there is no mean, and nothing is written.</summary>
    public void AddTo(IDictionary<string, double> metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        if (_ranks.Count == 0)
            return;
        Prepare();
        var values = new double[Kinds.Count];
        Measure([], values);
        for (var i = 0; i < values.Length; i++)
            metrics[Kinds[i]] = values[i];
    }

    public void Prepare()
    {
        // A band holds the ranks past one cut-off and up to the next, the last those past all: a target is one addition, not one for each cut-off.
        _groupOf = [.. _groups];
        _bands = [.. _ranks.Select(rank => _cutoffs.AsSpan().BinarySearch(rank)).Select(found => found < 0 ? ~found : found)];
        _gains = [.. _ranks.Select(rank => 1 / Math.Log2(1.0 + rank))];
        _reciprocals = [.. _ranks.Select(rank => 1.0 / rank)];
    }

    public void Measure(ReadOnlySpan<int> weights, Span<double> values)
    {
        // [bands] hits, gain, reciprocal rank
        var sums = new double[3 * (_cutoffs.Length + 1)];
        double count = 0;
        for (var i = 0; i < _bands.Length; i++)
        {
            double weight = weights.IsEmpty ? 1 : weights[_groupOf[i]];
            count += weight;
            var at = 3 * _bands[i];
            sums[at] += weight;
            sums[at + 1] += weight * _gains[i];
            sums[at + 2] += weight * _reciprocals[i];
        }

        double hits = 0, gain = 0, reciprocal = 0;
        for (var k = 0; k < _cutoffs.Length; k++)
        {
            hits += sums[3 * k];
            gain += sums[(3 * k) + 1];
            reciprocal += sums[(3 * k) + 2];
            var kinds = values.Slice(KindsPerCutoff * k, KindsPerCutoff);
            kinds[0] = kinds[3] = hits / count;
            kinds[1] = gain / count;
            kinds[2] = reciprocal / count;
        }
    }
}
