namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>What is known before a target.</summary>
/// <param name="Sequence">Of the data set.</param>
/// <param name="Items">Of the events before it, oldest first; at least one.</param>
internal readonly ref struct Past(int sequence, ReadOnlySpan<int> items)
{
    public int Sequence { get; } = sequence;
    public ReadOnlySpan<int> Items { get; } = items;
    public int Last => Items[^1];
}

/// <summary>A rule, learnt from the training part, that orders the whole catalogue. Several threads may ask at once.</summary>
internal interface INextItemBaseline
{
    /// <param name="hidden">Left out of the ranking; the target never is.</param>
    /// <param name="scratch">[V] zeros, and zeros again on return.</param>
    /// <returns>From 1. Of equal items, the more popular comes first, then the one with the lower id.</returns>
    int Rank(in Past past, int target, SeenItems hidden, float[] scratch);
}
