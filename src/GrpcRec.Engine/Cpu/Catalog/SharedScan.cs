using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>
/// One tile's way through the catalogue, shared with threads that have nothing else to do: ranges of blocks first, then the queries'
/// answers. Each thread keeps candidates of its own; the best k of all of them are the same set in the same order whoever has found
/// them, because scores have the same bits everywhere and ties go to the lower id.
/// </summary>
internal sealed unsafe class SharedScan : SharedWork, IDisposable
{
    /// <summary>
    /// Codes of a query in a part, about 15 µs of them: so long the first thread may wait at the end, and a helper's own requests at any
    /// time. Taking a part costs a hundredth of that.
    /// </summary>
    public const long PartProducts = 64 * BlockKernel.Columns * 128;

    /// <summary>With fewer parts the work is done before a thread is awake.</summary>
    private const int MinParts = 4;

    /// <summary>Fewer would make many queries read a part's blocks from memory one after the other.</summary>
    private const int MinBlocks = 4;

    /// <summary>Answers that are worth a thread's waking.</summary>
    private const int MinAnswers = 8;

    private readonly CatalogTable _table;
    private readonly ScanVectors _vectors;
    private readonly ScanThread _first;
    private readonly ISpareThreads? _spare;
    private readonly long _partProducts;
    private readonly AlignedBuffer _thresholds;

    // Made by the helper of that number when it first comes; the others are those that have scanned in this run.
    private readonly ScanThread?[] _made = new ScanThread?[MaxHelpers], _scanned = new ScanThread?[MaxHelpers];
    private int _blocksPerPart;
    private bool _isAnswering;

    /// <param name="first">The thread that ranks. Not owned, nor is <paramref name="vectors"/>.</param>
    /// <param name="spare">Null: nobody helps.</param>
    public SharedScan(CatalogTable table, ScanVectors vectors, ScanThread first, ISpareThreads? spare, long partProducts = PartProducts)
    {
        (_table, _vectors, _first, _spare, _partProducts) = (table, vectors, first, spare, partProducts);
        _thresholds = new AlignedBuffer(vectors.Rows);
    }

    /// <summary>Answers all queries that the first thread has taken in.</summary>
    public void Run()
    {
        if (_first.Count == 0)
            return;
        _first.Guess();
        var blocks = _partProducts / (BlockKernel.Columns * (long)_table.Depth * _first.Count);
        _blocksPerPart = (int)Math.Min(Math.Max(blocks, MinBlocks), _table.Blocks);
        var parts = (_table.Blocks + _blocksPerPart - 1) / _blocksPerPart;
        if (_spare is null || parts < MinParts)
        {
            _first.Scan(0, _table.Blocks);
            AnswerAlone();
            return;
        }

        try
        {
            // 1. Candidates, by whoever is there.
            new Span<float>(_thresholds.Pointer, _vectors.Rows).Fill(float.NegativeInfinity);
            _isAnswering = false;
            Share(parts, _spare);

            // 2. Answers, each of what all threads have found for it.
            _isAnswering = true;
            if (_first.Count < MinAnswers)
                AnswerAlone();
            else
                Share(_first.Count, _spare);
        }
        finally
        {
            foreach (var thread in _scanned)
                thread?.Clear();
            Array.Clear(_scanned);
        }
    }

    public void Dispose()
    {
        foreach (var thread in _made)
            thread?.Dispose();
        _thresholds.Dispose();
    }

    protected override void Run(int part, int helper)
    {
        var thread = helper == 0 ? _first : _made[helper - 1] ??= new ScanThread(_table, _vectors);
        if (_isAnswering)
        {
            thread.Answer(part, _first, _scanned);
            return;
        }

        if (helper > 0 && _scanned[helper - 1] is null)
        {
            thread.Begin(_first);
            _scanned[helper - 1] = thread;
        }

        thread.ExchangeThresholds(_thresholds.Pointer);
        thread.Scan(part * _blocksPerPart, Math.Min(_table.Blocks, (part + 1) * _blocksPerPart));
        thread.ExchangeThresholds(_thresholds.Pointer);
    }

    private void AnswerAlone()
    {
        for (var n = 0; n < _first.Count; n++)
            _first.Answer(n, _first, _scanned);
    }
}
