using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>
/// item-kNN: each item's nearest items by the cosine of their occurrence in training sequences: sequences with both within
/// <see cref="Window"/> events of each other, over √(sequences with one · sequences with the other). The neighbourhood of session-based
/// item-kNN (Sarwar et al., 2001; Ludewig and Jannach, 2018); the window makes a long history many sessions and bounds the work to 2·Window
/// for each event. Memory: that of <see cref="NeighbourTable"/> and of <see cref="TrainingOccurrences"/>.
/// </summary>
internal static class ItemNeighbours
{
    public const int Window = 20;

    /// <summary>Last events that are read.</summary>
    public const int Reach = 10;

    /// <summary>Weight of an event n before the last: Decayⁿ.</summary>
    public const double Decay = 0.7;

    private const int MostOfItem = 100;

    /// <param name="progress">Told, on this thread, how many rows of how many were counted.</param>
    public static NeighbourTable Count(SequenceDataset dataset, Action<long, long>? progress = null, CancellationToken cancellation = default)
    {
        var occurrences = new TrainingOccurrences(dataset);

        // Sequences that have each item.
        var sequences = new int[dataset.Items.Count];
        for (var item = 0; item < sequences.Length; item++)
        {
            var last = -1;
            foreach (var (_, sequence) in occurrences.Of(item))
            {
                sequences[item] += sequence == last ? 0 : 1;
                last = sequence;
            }
        }

        return NeighbourTable.Count(
            sequences.Length, CountRow,
            (item, neighbour, counts) => (float)(counts.Of(neighbour) / Math.Sqrt((double)sequences[item] * sequences[neighbour])),
            MostOfItem, progress: progress, cancellation: cancellation);

        // Who stands near it, counted once for each sequence.
        void CountRow(int item, RowCounts counts)
        {
            foreach (var (t, sequence) in occurrences.Of(item))
            {
                var from = Math.Max(dataset.Offsets[sequence], t - Window);
                var to = Math.Min(occurrences.Ends[sequence] - 1, t + Window);
                for (var other = from; other <= to; other++)
                {
                    var neighbour = dataset.ItemIds[other];
                    if (neighbour != item)
                        counts.AddOnce(neighbour, sequence);
                }
            }
        }
    }
}
