using System.Globalization;

namespace GrpcRec.Training.Evaluation;

/// <summary>
/// hr@k, ndcg@k, mrr@k and recall@k over rankings with one target each, for every cut-off k.
/// With one target the ideal DCG is 1, so ndcg@k is 1/log2(1 + rank), and recall@k is hr@k.
/// </summary>
public sealed class RankingMetrics
{
    private readonly int[] _cutoffs;
    private readonly long[] _hits;
    private readonly double[] _gains;
    private readonly double[] _reciprocals;
    private long _count;

    /// <param name="cutoffs">At least one, each from 1.</param>
    public RankingMetrics(IReadOnlyList<int> cutoffs)
    {
        ArgumentNullException.ThrowIfNull(cutoffs);
        if (cutoffs.Count == 0)
            throw new ArgumentException("Ranking metrics need at least one cut-off.", nameof(cutoffs));
        foreach (var cutoff in cutoffs)
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(cutoff, nameof(cutoffs));
        _cutoffs = [.. cutoffs.Distinct().Order()];
        _hits = new long[_cutoffs.Length];
        _gains = new double[_cutoffs.Length];
        _reciprocals = new double[_cutoffs.Length];
    }

    /// <summary>Targets added.</summary>
    public long Count => _count;

    /// <param name="rank">Of the target, from 1.</param>
    public void Add(int rank)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rank);
        _count++;
        for (var i = _cutoffs.Length - 1; i >= 0 && rank <= _cutoffs[i]; i--)
        {
            _hits[i]++;
            _gains[i] += 1 / Math.Log2(1.0 + rank);
            _reciprocals[i] += 1.0 / rank;
        }
    }

    /// <summary>Writes the means. Without a target there is no mean, and nothing is written.</summary>
    public void AddTo(IDictionary<string, double> metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        if (_count == 0)
            return;
        for (var i = 0; i < _cutoffs.Length; i++)
        {
            var k = _cutoffs[i].ToString(CultureInfo.InvariantCulture);
            metrics["hr@" + k] = (double)_hits[i] / _count;
            metrics["ndcg@" + k] = _gains[i] / _count;
            metrics["mrr@" + k] = _reciprocals[i] / _count;
            metrics["recall@" + k] = (double)_hits[i] / _count;
        }
    }
}
