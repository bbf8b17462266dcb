using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>Items by their count in the training part, whatever the user did.</summary>
internal sealed class PopularityBaseline : INextItemBaseline
{
    public PopularityBaseline(SequenceDataset dataset)
    {
        Places = new int[dataset.Items.Count];
        var items = dataset.Items.Items;
        var order = Enumerable.Range(0, items.Count).OrderByDescending(i => items[i].Count).ThenBy(i => i);
        var place = 0;
        foreach (var item in order)
            Places[item] = place++;
    }

    /// <summary>[V] Items that come before each.</summary>
    public int[] Places { get; }

    public int Rank(in Past past, int target, SeenItems hidden, float[] scratch) => Rank(target, hidden);

    public int Rank(int target, SeenItems hidden)
    {
        var rank = 1 + Places[target];
        foreach (var item in hidden.Items)
        {
            if (Places[item] < Places[target])
                rank--;
        }

        return rank;
    }

    /// <summary>[V] log of each item's share of the training events, one more counted of each: what a bias starts from that knows popularity alone.</summary>
    public static float[] LogShares(ItemCatalog items)
    {
        var total = items.Items.Sum(item => (double)item.Count + 1);
        return [.. items.Items.Select(item => (float)Math.Log((item.Count + 1) / total))];
    }
}
