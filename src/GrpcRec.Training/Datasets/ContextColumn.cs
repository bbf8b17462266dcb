namespace GrpcRec.Training.Datasets;

/// <summary>
/// A named categorical of the events, beside item and behaviour: the page that showed the item, the device, the user's age band. What is known
/// of an event before its outcome may also go with a request; that is the caller's to say.
/// </summary>
/// <param name="Values">Distinct; the value with id i is Values[i - 1].</param>
/// <param name="Ids">[N] by event; 0: absent, or a value that is not among <paramref name="Values"/>.</param>
public sealed record ContextColumn(IReadOnlyList<string> Values, ushort[] Ids)
{
    /// <summary>Values that a split data set tells apart, the most frequent ones: each is a row of an embedding, and rarer ones are not learnt.</summary>
    public const int MaxValues = 1024;

    /// <summary>Values that may be read before they are counted: an id has two bytes, and a column with more is an id, not a category.</summary>
    public const int MaxDistinct = ushort.MaxValue;

    /// <summary>
    /// The same column with the values of the training part alone, by frequency there and then by name, at most <see cref="MaxValues"/>: what a
    /// model cannot have learnt is unknown to it.
    /// </summary>
    /// <param name="training">[N]</param>
    internal ContextColumn OfTraining(bool[] training)
    {
        var counts = new long[Values.Count + 1];
        for (var t = 0; t < Ids.Length; t++)
        {
            if (training[t])
                counts[Ids[t]]++;
        }

        int[] kept = [.. Enumerable.Range(1, Values.Count).Where(id => counts[id] > 0).OrderByDescending(id => counts[id]).ThenBy(id => Values[id - 1], StringComparer.Ordinal).Take(MaxValues)];
        var renamed = new ushort[Values.Count + 1];
        for (var rank = 0; rank < kept.Length; rank++)
            renamed[kept[rank]] = (ushort)(rank + 1);
        return new([.. kept.Select(id => Values[id - 1])], Array.ConvertAll(Ids, id => renamed[id]));
    }
}
