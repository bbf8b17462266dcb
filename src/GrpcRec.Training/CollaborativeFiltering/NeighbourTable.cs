using System.Collections.Concurrent;
using GrpcRec.Engine.Models;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>
/// Each item's neighbours with their weights, the best first. Rows are counted one by one, twice: for their lengths, and then into their place;
/// so nothing but the table itself grows with what is counted. Memory: 8 bytes a neighbour, at most <see cref="MostNeighbours"/> of them
/// (160 MB), and 8 bytes an item for each processor.
/// </summary>
internal sealed class NeighbourTable
{
    /// <summary>Of all items together, what an artefact holds. Where there would be more, the longest rows are cut to one length.</summary>
    public static readonly int MostNeighbours = ArtifactLimits.Default.MaxNeighbours;

    /// <summary>Items between two looks at whether to go on.</summary>
    private const int Block = 4096;

    private NeighbourTable(int[] offsets)
    {
        Offsets = offsets;
        AllItems = new int[offsets[^1]];
        AllWeights = new float[offsets[^1]];
    }

    /// <summary>[V + 1] row of item v: from [v] to [v + 1].</summary>
    public int[] Offsets { get; }

    /// <summary>[N]</summary>
    public int[] AllItems { get; }

    /// <summary>[N] above 0.</summary>
    public float[] AllWeights { get; }

    /// <summary>The best first.</summary>
    public ReadOnlySpan<int> Items(int item) => AllItems.AsSpan(Offsets[item]..Offsets[item + 1]);

    /// <summary>Above 0, of the same neighbours.</summary>
    public ReadOnlySpan<float> Weights(int item) => AllWeights.AsSpan(Offsets[item]..Offsets[item + 1]);

    /// <param name="count">Counts what stands beside an item. Several threads at once, each with counts of its own.</param>
    /// <param name="weight">Of an item, a neighbour and how often it was counted: above 0.</param>
    /// <param name="mostOfItem">A row's length at most: those with the largest weights are kept.</param>
    /// <param name="places">[V] the lower of two equal weights' comes first; null: the lower id.</param>
    /// <param name="progress">Told, on this thread, how many rows of how many were counted.</param>
    public static NeighbourTable Count(
        int catalog, Action<int, RowCounts> count, Func<int, int, RowCounts, float> weight, int mostOfItem, int[]? places = null,
        Action<long, long>? progress = null, CancellationToken cancellation = default)
    {
        var scratch = new ConcurrentBag<RowCounts>();

        // 1. How long each row is, and where they are cut.
        var lengths = new int[catalog];
        ForEachRow(0, (item, counts) => lengths[item] = Math.Min(mostOfItem, counts.Items.Count));
        var most = Cut(lengths, mostOfItem);
        var offsets = new int[catalog + 1];
        for (var item = 0; item < catalog; item++)
            offsets[item + 1] = offsets[item] + Math.Min(most, lengths[item]);

        // 2. Each into its place.
        var table = new NeighbourTable(offsets);
        ForEachRow(catalog, (item, counts) =>
        {
            var row = new (float Weight, int Place, int Item)[counts.Items.Count];
            for (var n = 0; n < row.Length; n++)
            {
                var neighbour = counts.Items[n];
                row[n] = (weight(item, neighbour, counts), places is null ? neighbour : places[neighbour], neighbour);
            }

            Array.Sort(row, static (a, b) => a.Weight != b.Weight ? b.Weight.CompareTo(a.Weight) : a.Place.CompareTo(b.Place));
            for (var n = 0; n < offsets[item + 1] - offsets[item]; n++)
                (table.AllItems[offsets[item] + n], table.AllWeights[offsets[item] + n]) = (row[n].Item, row[n].Weight);
        });
        return table;

        void ForEachRow(long done, Action<int, RowCounts> take)
        {
            var options = new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount };
            for (var from = 0; from < catalog; from += Block)
            {
                cancellation.ThrowIfCancellationRequested();
                progress?.Invoke(done + from, 2L * catalog);
                Parallel.For(
                    from, Math.Min(catalog, from + Block), options,
                    () => scratch.TryTake(out var counts) ? counts : new RowCounts(catalog),
                    (item, _, counts) =>
                    {
                        count(item, counts);
                        take(item, counts);
                        counts.Clear();
                        return counts;
                    },
                    scratch.Add);
            }
        }
    }

    /// <returns>The longest length to which rows may be cut so that all fit.</returns>
    private static int Cut(int[] lengths, int mostOfItem)
    {
        var rows = new int[mostOfItem + 1];
        foreach (var length in lengths)
            rows[length]++;
        long total = 0;
        var longer = lengths.Length - rows[0];
        for (var most = 1; most <= mostOfItem; most++)
        {
            total += longer; // one more for each row that is at least so long
            if (total > MostNeighbours)
                return most - 1;
            longer -= rows[most];
        }

        return mostOfItem;
    }
}
