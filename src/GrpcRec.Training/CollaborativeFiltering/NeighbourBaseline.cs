namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>
/// item-kNN: an item's score is the sum of its cosines with the last items, each weighted by how lately it came. What is near to none of
/// them follows by popularity.
/// </summary>
internal sealed class NeighbourBaseline(ItemNeighbours neighbours, PopularityBaseline popularity) : INextItemBaseline
{
    /// <summary>Last events that are read.</summary>
    public const int Reach = 10;

    /// <summary>Weight of an event n before the last: Decayⁿ.</summary>
    private const float Decay = 0.7f;

    public int Rank(in Past past, int target, SeenItems hidden, float[] scratch)
    {
        // 1. Scores of what is near.
        var near = new List<int>();
        var weight = 1f;
        for (var t = past.Items.Length - 1; t >= 0 && t >= past.Items.Length - Reach; t--)
        {
            var items = neighbours.Items(past.Items[t]);
            var cosines = neighbours.Cosines(past.Items[t]);
            for (var n = 0; n < items.Length; n++)
            {
                if (scratch[items[n]] == 0)
                    near.Add(items[n]);
                scratch[items[n]] += weight * cosines[n];
            }

            weight *= Decay;
        }

        // 2. The target's place among them, or behind them all by popularity.
        var score = scratch[target];
        var before = score > 0 ? 0 : popularity.Rank(target, hidden) - 1;
        foreach (var item in near)
        {
            var isMorePopular = popularity.Places[item] < popularity.Places[target];
            if (item != target && !hidden.Contains(item))
            {
                if (score > 0)
                    before += scratch[item] > score || (scratch[item] == score && isMorePopular) ? 1 : 0;
                else if (!isMorePopular)
                    before++; // near and less popular: it comes first all the same
            }
        }

        foreach (var item in near)
            scratch[item] = 0;
        return 1 + before;
    }
}
