using System.Numerics;
using GrpcRec.Engine.Ranking;

namespace GrpcRec.Engine.Counts;

/// <summary>
/// The best k of a catalogue: neighbours by their sums, then the others by popularity. Work is of the order of the neighbours and of k, and
/// of V/64 where a filter is given; the whole catalogue is walked only where exclusions leave little of its popular part.
/// </summary>
internal sealed class CountsRanking(CountsModel model, NeighbourSums sums)
{
    private static readonly RankFilter All = new();

    // Places stand in the heap for items, so that of equal scores the more popular is kept.
    private readonly TopKHeap _heap = new();
    private readonly ItemMask _mask = new(model.Places.Length);
    private RankedItem[] _rest = [];

    /// <summary>Answers a query of the sequence that <see cref="NeighbourSums"/> holds.</summary>
    public void Run(RankQuery query)
    {
        // 1. What may be returned. A mask is not worth its V/64 words for a few exclusions.
        var isMasked = query.Filter is { IsEmpty: false } || query.Excluded.Length > model.Places.Length / 64;
        if (isMasked)
            _mask.Compile(query.Filter ?? All, query.Excluded, model.Categories);

        // 2. Neighbours.
        var result = new RankedItem[Math.Min(query.K, isMasked ? _mask.Count : model.Places.Length - query.Excluded.Length)];
        _heap.Begin(result, result.Length);
        foreach (var item in sums.Items)
        {
            if (Allows(item, query, isMasked))
                _heap.Offer(model.Places[item], sums.Score(item));
        }

        var near = _heap.Order();
        for (var i = 0; i < near; i++)
            result[i] = result[i] with { Item = model.ByPopularity[result[i].Item] };

        // 3. The others.
        var rest = result.AsSpan(near);
        if (rest.Length > 0 && isMasked && IsSparse(rest.Length))
            FillFromMask(rest);
        else if (rest.Length > 0)
            FillFromPopular(rest, query, isMasked);
        query.Result = result;
    }

    private bool Allows(int item, RankQuery query, bool isMasked) =>
        isMasked ? (_mask.Words[item / 64] & (1UL << (item % 64))) != 0 : query.Excluded.Length == 0 || Array.BinarySearch(query.Excluded, item) < 0;

    /// <summary>The mask leaves so little that to go through it costs less than to come upon enough of it in the order of popularity.</summary>
    private bool IsSparse(int wanted) => (long)wanted * model.Places.Length / Math.Max(1, _mask.Count) > _mask.Words.Length + (8L * _mask.Count);

    private void FillFromPopular(Span<RankedItem> rest, RankQuery query, bool isMasked)
    {
        var count = 0;
        foreach (var item in model.ByPopularity)
        {
            if (sums.Has(item) || !Allows(item, query, isMasked))
                continue;
            rest[count++] = new RankedItem(item, model.LogShares[item]);
            if (count == rest.Length)
                return;
        }
    }

    private void FillFromMask(Span<RankedItem> rest)
    {
        if (_rest.Length < rest.Length)
            _rest = new RankedItem[rest.Length];
        _heap.Begin(_rest, rest.Length);
        for (var block = 0; block < _mask.Words.Length; block++)
        {
            for (var word = _mask.Words[block]; word != 0; word &= word - 1)
            {
                var item = (block * 64) + BitOperations.TrailingZeroCount(word);
                if (!sums.Has(item))
                    _heap.Offer(model.Places[item], 0);
            }
        }

        _heap.Order();
        for (var i = 0; i < rest.Length; i++)
        {
            var item = model.ByPopularity[_rest[i].Item];
            rest[i] = new RankedItem(item, model.LogShares[item]);
        }
    }
}
