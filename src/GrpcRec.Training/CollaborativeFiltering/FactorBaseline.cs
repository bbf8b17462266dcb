using System.Numerics.Tensors;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>
/// Matrix factorisation as a recommender. A sequence that was trained has its own factors; a new one (a session) has the mean of its items',
/// as Ludewig and Jannach (2018) do it.
/// </summary>
internal sealed class FactorBaseline(BprFactors factors, PopularityBaseline popularity) : INextItemBaseline
{
    public int Rank(in Past past, int target, SeenItems hidden, float[] scratch)
    {
        Span<float> query = stackalloc float[BprFactors.Width];
        if (factors.IsKnown[past.Sequence])
            factors.User(past.Sequence).CopyTo(query);
        else
            Mean(past.Items, query);

        var score = Score(query, target);
        var before = 0;
        for (var item = 0; item < factors.Biases.Length; item++)
        {
            var other = Score(query, item);
            if (other >= score && item != target && !hidden.Contains(item)
                && (other > score || popularity.Places[item] < popularity.Places[target]))
                before++;
        }

        return 1 + before;
    }

    private float Score(ReadOnlySpan<float> query, int item) => TensorPrimitives.Dot(query, factors.Item(item)) + factors.Biases[item];

    private void Mean(ReadOnlySpan<int> items, Span<float> mean)
    {
        mean.Clear();
        foreach (var item in items)
            TensorPrimitives.Add(mean, factors.Item(item), mean);
        TensorPrimitives.Divide(mean, items.Length, mean);
    }
}
