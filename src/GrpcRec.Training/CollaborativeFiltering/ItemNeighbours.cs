using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>
/// Each item's nearest items by the cosine of their occurrence in training sequences: sequences with both within <see cref="Window"/> events
/// of each other, over √(sequences with one · sequences with the other). The neighbourhood of session-based item-kNN (Sarwar et al., 2001;
/// Ludewig and Jannach, 2018); the window makes a long history many sessions and bounds the work to 2·Window for each event.
/// Memory: 8 bytes a neighbour, 4 an event.
/// </summary>
internal sealed class ItemNeighbours
{
    public const int Window = 20;
    private const int MostNeighbours = 100, LeastNeighbours = 10;

    /// <summary>Neighbours of all items together: a larger catalogue gets fewer for each.</summary>
    private const int MaxTotal = 20_000_000;

    private readonly int[] _offsets, _items;
    private readonly float[] _cosines;

    public ItemNeighbours(SequenceDataset dataset)
    {
        // 1. Where each item stands: its events, by counting sort, and the sequence of each.
        var catalog = dataset.Items.Count;
        var starts = new int[catalog + 1];
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            foreach (var item in TrainingPrefix.Of(dataset, s))
                starts[item + 1]++;
        }

        for (var item = 0; item < catalog; item++)
            starts[item + 1] += starts[item];
        var places = new (int Event, int Sequence)[starts[^1]];
        var next = starts[..^1];
        var ends = new int[dataset.SequenceCount];
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            var t = dataset.Offsets[s];
            foreach (var item in TrainingPrefix.Of(dataset, s))
                places[next[item]++] = (t++, s);
            ends[s] = t;
        }

        // 2. Sequences that have each item.
        var sequences = new int[catalog];
        for (var item = 0; item < catalog; item++)
        {
            var last = -1;
            foreach (var (_, sequence) in places.AsSpan(starts[item]..starts[item + 1]))
            {
                sequences[item] += sequence == last ? 0 : 1;
                last = sequence;
            }
        }

        // 3. Row by row: who stands near it, counted once for each sequence.
        var perItem = Math.Clamp(MaxTotal / Math.Max(1, catalog), LeastNeighbours, MostNeighbours);
        var rows = new (int Item, float Cosine)[catalog][];
        Parallel.For(
            0, catalog,
            () => (Counts: new int[catalog], Latest: Filled(catalog), Near: new List<int>()),
            (item, _, scratch) =>
            {
                foreach (var (t, sequence) in places.AsSpan(starts[item]..starts[item + 1]))
                {
                    var from = Math.Max(dataset.Offsets[sequence], t - Window);
                    var to = Math.Min(ends[sequence] - 1, t + Window);
                    for (var other = from; other <= to; other++)
                    {
                        var neighbour = dataset.ItemIds[other];
                        if (neighbour == item || scratch.Latest[neighbour] == sequence)
                            continue;
                        scratch.Latest[neighbour] = sequence;
                        if (scratch.Counts[neighbour]++ == 0)
                            scratch.Near.Add(neighbour);
                    }
                }

                rows[item] = [.. scratch.Near
                    .Select(neighbour => (neighbour, (float)(scratch.Counts[neighbour] / Math.Sqrt((double)sequences[item] * sequences[neighbour]))))
                    .OrderByDescending(pair => pair.Item2).ThenBy(pair => pair.neighbour)
                    .Take(perItem)];
                foreach (var neighbour in scratch.Near)
                    (scratch.Counts[neighbour], scratch.Latest[neighbour]) = (0, -1);
                scratch.Near.Clear();
                return scratch;
            },
            _ => { });

        // 4. Flat.
        _offsets = new int[catalog + 1];
        for (var item = 0; item < catalog; item++)
            _offsets[item + 1] = _offsets[item] + rows[item].Length;
        _items = [.. rows.SelectMany(row => row.Select(pair => pair.Item))];
        _cosines = [.. rows.SelectMany(row => row.Select(pair => pair.Cosine))];
    }

    /// <summary>Nearest first.</summary>
    public ReadOnlySpan<int> Items(int item) => _items.AsSpan(_offsets[item].._offsets[item + 1]);

    /// <summary>0…1, of the same neighbours.</summary>
    public ReadOnlySpan<float> Cosines(int item) => _cosines.AsSpan(_offsets[item].._offsets[item + 1]);

    private static int[] Filled(int length)
    {
        var latest = new int[length];
        Array.Fill(latest, -1);
        return latest;
    }
}
