using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Admission;

namespace GrpcRec.Serving.Batching;

/// <summary>What is computed of the states that requests have left, once they have no event to read. A lane's own: one thread at a time.</summary>
/// <param name="fault">Told of what the engine throws; says what the requests are answered.</param>
internal sealed class AnswerStage(IStepEngine engine, Func<Exception, Rejection> fault)
{
    private readonly List<BatchRequest> _ranking = [];
    private RankQuery[] _queries = [];
    private int[] _rankedItems = [];

    /// <summary>Answers all, and then gives each to <paramref name="leave"/> with what went wrong, if anything did.</summary>
    public void Answer(List<BatchRequest> finished, Action<BatchRequest, Rejection?> leave)
    {
        // All that end at the same step read the catalogue together: one pass over its memory.
        foreach (var request in finished)
        {
            if (request.RankK > 0)
                _ranking.Add(request);
        }

        var unranked = _ranking.Count == 0 ? null : Rank();
        _ranking.Clear();
        foreach (var request in finished)
            leave(request, (request.RankK == 0 ? null : unranked) ?? Score(request));
    }

    private Rejection? Rank()
    {
        if (_queries.Length < _ranking.Count)
            _queries = new RankQuery[Math.Max(_ranking.Count, 2 * _queries.Length)];
        for (var i = 0; i < _ranking.Count; i++)
            _queries[i] = new RankQuery { Slot = _ranking[i].Slot!.Value, K = _ranking[i].RankK, Excluded = _ranking[i].RankExcluded, Filter = _ranking[i].RankFilter };
        try
        {
            engine.Rank(_queries.AsSpan(0, _ranking.Count));
            for (var i = 0; i < _ranking.Count; i++)
                _ranking[i].Ranked = _queries[i].Result;
            return null;
        }
        catch (Exception exception)
        {
            return fault(exception);
        }
        finally
        {
            Array.Clear(_queries, 0, _ranking.Count);
        }
    }

    private Rejection? Score(BatchRequest request)
    {
        try
        {
            var items = request.ScoreRanked ? ItemsOf(request.Ranked) : request.Candidates;
            if (items.Length > 0)
            {
                request.CandidateLogits = new float[items.Length * engine.CandidateWidth];
                engine.ScoreCandidates(request.Slot!.Value, request.RequestFeatures, items, request.CandidateLogits);
            }

            if (request.WantsSequenceScores && engine.SequenceWidth > 0)
            {
                request.SequenceLogits = new float[engine.SequenceWidth];
                engine.ScoreSequence(request.Slot!.Value, request.SequenceLogits);
            }

            return null;
        }
        catch (Exception exception)
        {
            return fault(exception);
        }
    }

    private ReadOnlySpan<int> ItemsOf(RankedItem[] ranked)
    {
        if (_rankedItems.Length < ranked.Length)
            _rankedItems = new int[ranked.Length];
        for (var i = 0; i < ranked.Length; i++)
            _rankedItems[i] = ranked[i].Item;
        return _rankedItems.AsSpan(0, ranked.Length);
    }
}
