using GrpcRec.Engine.Ranking;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>One query on its way through the catalogue; used again by the next.</summary>
internal sealed unsafe class ScanQuery : IDisposable
{
    private static readonly RankQuery None = new() { Slot = default, K = 1 };
    private int _nextExcluded;
    private AlignedBuffer? _candidates;
    private RankedItem[] _kept = [];

    /// <param name="row">Its place in a tile.</param>
    /// <param name="vector">[E, padded to 64] for the projected query.</param>
    /// <param name="bytes">Its form in bytes, with memory for the codes.</param>
    public ScanQuery(int row, float* vector, Int8Query* bytes)
    {
        Row = row;
        Vector = vector;
        Bytes = bytes;
    }

    public int Row { get; }

    /// <summary>What was asked.</summary>
    public RankQuery Query { get; private set; } = None;

    /// <summary>[E, padded to 64].</summary>
    public float* Vector { get; }

    public Int8Query* Bytes { get; }

    public TopKHeap Heap { get; } = new();

    /// <summary>Null: all but <see cref="RankQuery.Excluded"/>.</summary>
    public ItemMask? Mask { get; private set; }

    /// <summary>Results wanted: k, or as many items as there are to return.</summary>
    public int Results { get; private set; }

    /// <param name="left">Items that the query may return.</param>
    public void Begin(RankQuery query, ItemMask? mask, int left)
    {
        (Query, Mask, _nextExcluded) = (query, mask, 0);
        Results = Math.Min(query.K, left);
        Heap.Begin(new RankedItem[Results], Results);
    }

    /// <summary>The same query on another thread: what is found there is given to the first one in the end.</summary>
    /// <param name="first">Has the same vector and codes; not touched by other threads meanwhile but for what it finds.</param>
    /// <param name="inBytes">It has begun in bytes.</param>
    public void Begin(ScanQuery first, bool inBytes)
    {
        (Query, Mask, Results, _nextExcluded) = (first.Query, first.Mask, first.Results, 0);
        if (_kept.Length < Results)
            _kept = new RankedItem[Math.Max(Results, 2 * _kept.Length)];
        Heap.Begin(_kept, Results);
        if (!inBytes)
            return;
        TakeMemory();
        Bytes->Begin(first.Bytes);
    }

    /// <summary>Lets go of what was asked.</summary>
    public void End() => (Query, Mask) = (None, null);

    /// <summary>Makes bytes of the query, and room for candidates the first time.</summary>
    /// <returns>False: the numbers are too large for bounds.</returns>
    public bool TryBeginBytes(Int8Catalog catalog)
    {
        TakeMemory();
        return Bytes->TryBegin(catalog, Vector, Query.K, Mask is not null || Query.Excluded.Length > 0);
    }

    public void Finish()
    {
        Query.Result = Heap.Finish();
        End();
    }

    /// <summary>Takes what the query may not return out of a set of a block's items. Blocks come in ascending order.</summary>
    public ulong Allowed(int block, ulong items)
    {
        if (Mask is not null)
            return items & Mask.Words[block];
        var excluded = Query.Excluded;
        for (; _nextExcluded < excluded.Length && excluded[_nextExcluded] / BlockKernel.Columns <= block; _nextExcluded++)
        {
            // A block that had nothing of interest was not asked about: its exclusions are passed by.
            if (excluded[_nextExcluded] / BlockKernel.Columns == block)
                items &= ~(1UL << (excluded[_nextExcluded] % BlockKernel.Columns));
        }

        return items;
    }

    public void Dispose() => _candidates?.Dispose();

    private void TakeMemory()
    {
        if (Bytes->HasMemory)
            return;
        _candidates = new AlignedBuffer(Int8Query.MemoryFloats);
        Bytes->Give(_candidates.Pointer);
    }
}
