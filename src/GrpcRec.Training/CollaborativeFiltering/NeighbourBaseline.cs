namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>
/// An item's score is the sum of its weights beside the last items, each weighted by how lately it came. What is near to none of them follows
/// by popularity. Served by an engine of its own: see <see cref="Engine.Models.CountsManifest"/>.
/// </summary>
/// <param name="reach">Last events that are read.</param>
/// <param name="decay">Weight of an event n before the last: decayⁿ.</param>
internal sealed class NeighbourBaseline(NeighbourTable neighbours, PopularityBaseline popularity, int reach, double decay) : INextItemBaseline
{
    public int Rank(in Past past, int target, SeenItems hidden, float[] scratch)
    {
        // 1. Scores of what is near.
        var near = new List<int>();
        var weight = 1f;
        for (var t = past.Items.Length - 1; t >= 0 && t >= past.Items.Length - reach; t--)
        {
            var items = neighbours.Items(past.Items[t]);
            var weights = neighbours.Weights(past.Items[t]);
            for (var n = 0; n < items.Length; n++)
            {
                if (scratch[items[n]] == 0)
                    near.Add(items[n]);
                scratch[items[n]] += weight * weights[n];
            }

            weight *= (float)decay;
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
