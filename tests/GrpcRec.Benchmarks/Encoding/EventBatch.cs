namespace GrpcRec.Benchmarks.Encoding;

/// <summary>Sequences of one length with uniformly random items: the hardest case for a table that is read by item.</summary>
public sealed class EventBatch
{
    /// <summary>Different batches that a contestant goes through, so that none of them finds its events' rows in the nearest cache each time.</summary>
    public const int Sets = 8;

    private EventBatch(int size, int length, int[] items)
    {
        Size = size;
        Length = length;
        Items = items;
        LongItems = Array.ConvertAll(items, item => (long)item);
    }

    /// <summary>B.</summary>
    public int Size { get; }

    /// <summary>T.</summary>
    public int Length { get; }

    /// <summary>[B, T] dense ids.</summary>
    public int[] Items { get; }

    /// <summary>The same for those who want int64.</summary>
    public long[] LongItems { get; }

    public static EventBatch[] Random(int size, int length, int catalog, int seed = 5)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, Sets).Select(_ =>
            new EventBatch(size, length, [.. Enumerable.Range(0, size * length).Select(_ => random.Next(catalog))]))];
    }
}
