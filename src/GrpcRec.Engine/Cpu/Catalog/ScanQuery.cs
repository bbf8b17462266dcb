using GrpcRec.Engine.Ranking;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>One query on its way through the catalogue; used again by the next.</summary>
internal sealed unsafe class ScanQuery : IDisposable
{
    private static readonly RankQuery None = new() { Slot = default, K = 1 };

    /// <summary>Queries that are not guessed for after a guess was wrong: a catalogue where it often is shall not be scanned twice for each.</summary>
    private const int QueriesWithoutGuess = 64;

    private int _nextExcluded, _withoutGuess;
    private float _guess = float.NegativeInfinity;
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
        (Query, Mask, _nextExcluded, _guess) = (query, mask, 0, float.NegativeInfinity);
        Results = Math.Min(query.K, left);
        Heap.Begin(new RankedItem[Results], Results);
    }

    /// <summary>The same query on another thread: what is found there is given to the first one in the end.</summary>
    /// <param name="first">Has the same vector and codes; not touched by other threads meanwhile but for what it finds.</param>
    /// <param name="inBytes">It has begun in bytes.</param>
    public void Begin(ScanQuery first, bool inBytes)
    {
        (Query, Mask, Results, _nextExcluded, _guess) = (first.Query, first.Mask, first.Results, 0, first._guess);
        if (_kept.Length < Results)
            _kept = new RankedItem[Math.Max(Results, 2 * _kept.Length)];
        Heap.Begin(_kept, Results);
        if (!inBytes)
            return;
        TakeMemory();
        Bytes->Begin(first.Bytes, _guess);
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

    /// <summary>Begins with a threshold that the samples taken so far suggest, unless guesses have been wrong of late.</summary>
    /// <param name="blocks">All that have items for the query.</param>
    public void Guess(int blocks)
    {
        _nextExcluded = 0;
        var guess = Bytes->Guess(blocks);
        if (_withoutGuess == 0)
        {
            _guess = guess;
            return;
        }

        _withoutGuess--;
        Bytes->Begin(float.NegativeInfinity);
    }

    /// <summary>All results reach what was guessed, so nothing that was left out for it is among the best; or nothing was guessed.</summary>
    public bool IsGuessRight => Heap.Threshold >= _guess;

    /// <summary>Begins once more without a guess. What was found already is found again, and sets the first threshold where it is enough.</summary>
    public void BeginWithoutGuess()
    {
        (_nextExcluded, _guess, _withoutGuess) = (0, float.NegativeInfinity, QueriesWithoutGuess);
        Bytes->Begin(Heap.Threshold);
        Heap.Clear();
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
