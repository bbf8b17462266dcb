using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>
/// next_item logits of the whole catalogue and the best of them. A tile of queries reads it together; each query goes the way that costs
/// least: bounds from bytes, float32, or item by item where its filter leaves few.
/// </summary>
internal sealed unsafe class CatalogScan : IDisposable
{
    /// <summary>Queries that read the catalogue together.</summary>
    public const int MaxQueries = 64;

    /// <summary>Memory of all masks of an engine, at one mask the least; a tile ends early where they would take more.</summary>
    private const long MaskBudgetBytes = 32 << 20;

    /// <summary>
    /// What an item costs by itself, in items of a scan: E = 128, a million items in main memory, 60 to 100 ns against 4 ns in bytes and
    /// 18 ns in float32. In the caches an item by itself is cheaper, and so is the choice between the two.
    /// </summary>
    private const int ListCostFloat32 = 6, ListCostInt8 = 20;

    private readonly CpuModel _model;
    private readonly CpuScratch _scratch;
    private readonly CatalogTable? _table;
    private readonly ScanVectors? _vectors;
    private readonly ScanThread? _thread;
    private readonly SharedScan? _shared;
    private readonly ItemMask?[] _masks = [];
    private int[] _items = [];
    private int _usedMasks;

    /// <param name="spare">Null: the thread that ranks does it alone.</param>
    public CatalogScan(CpuModel model, CpuScratch scratch, ISpareThreads? spare)
    {
        (_model, _scratch, _table) = (model, scratch, model.Catalog);
        if (_table is null)
            return;
        _vectors = new ScanVectors(MaxQueries, model.Heads.NextProjection!.Width, _table.Depth);
        _thread = new ScanThread(_table, _vectors);
        _shared = new SharedScan(_table, _vectors, _thread, spare);
        _masks = new ItemMask?[Math.Clamp(MaskBudgetBytes / (((long)_table.Count / 8) + 1), 1, MaxQueries)];
    }

    private int ListCost => _table!.Codes is null ? ListCostFloat32 : ListCostInt8;

    /// <summary>q = W·h + b, and the memory's part.</summary>
    /// <returns>[E, padded], valid until the scratch is used again.</returns>
    public float* Query(SlotState state)
    {
        Project(state, _scratch.A);
        return _scratch.A;
    }

    /// <param name="logits">[V] written.</param>
    public void ScoreAll(SlotState state, Span<float> logits)
    {
        var query = Query(state);
        var items = _table!.Items;
        for (var block = 0; block < items.Blocks; block++)
        {
            var from = block * BlockKernel.Columns;
            var bias = _table.ItemBias.Pointer + from;
            _table.Kernel.Multiply(1, items.Block(block), items.Depth, query, 0, &bias, null, 0, _scratch.Sums);
            new ReadOnlySpan<float>(_scratch.Sums, Math.Min(BlockKernel.Columns, logits.Length - from)).CopyTo(logits[from..]);
        }
    }

    /// <summary>Before the first <see cref="Add"/> of a batch.</summary>
    public void Begin()
    {
        _thread!.Clear();
        _usedMasks = 0;
    }

    /// <summary>Takes a query in; runs what was taken in when there is no more room.</summary>
    /// <param name="state">Read now.</param>
    public void Add(RankQuery query, SlotState state)
    {
        if (query.Filter is not { IsEmpty: false } filter)
        {
            AddWhole(query, state);
            return;
        }

        // 1. A short list of candidates is filtered by itself.
        if (filter.AllowedItems is { } candidates && (long)candidates.Length * ListCost <= _table!.Count)
        {
            var left = Pick(filter, candidates, query.Excluded);
            var listed = Row(query, null, left, state);
            _thread!.List.Run(listed, _items.AsSpan(0, left));
            listed.Finish();
            return;
        }

        // 2. Anything else is made a mask, which says whether it leaves few.
        if (_usedMasks == _masks.Length)
            Run();
        var mask = _masks[_usedMasks] ??= new ItemMask(_table!.Count);
        mask.Compile(filter, query.Excluded, _table!.Categories);
        var row = Row(query, mask, mask.Count, state);
        if ((long)mask.Count * ListCost <= mask.Blocks * (long)BlockKernel.Columns)
        {
            _thread!.List.Run(row);
            row.Finish();
            return;
        }

        _usedMasks++;
        _thread!.AddSingle(row, TryBeginCodes(row, mask.Count));
        RunIfFull();
    }

    /// <summary>Answers all that was taken in.</summary>
    public void Run()
    {
        _shared!.Run();
        Begin();
    }

    public void Dispose()
    {
        _shared?.Dispose();
        _thread?.Dispose();
        _vectors?.Dispose();
    }

    private void AddWhole(RankQuery query, SlotState state)
    {
        var row = _thread!.Row(_thread.WholeCount);
        var left = _table!.Count - query.Excluded.Length;
        Project(state, row.Vector);
        row.Begin(query, null, left);
        if (_table.Codes is null || TryBeginCodes(row, left))
            _thread.AddWhole(row);
        else
            _thread.AddSingle(Row(query, null, left, state), inBytes: false);

        RunIfFull();
    }

    /// <summary>The next row from the end; its own until the batch is run, if it is put into a list.</summary>
    private ScanQuery Row(RankQuery query, ItemMask? mask, int left, SlotState state)
    {
        var row = _thread!.Row(MaxQueries - 1 - (_thread.Count - _thread.WholeCount));
        row.Begin(query, mask, left);
        Project(state, row.Vector);
        return row;
    }

    private bool TryBeginCodes(ScanQuery row, int left) =>
        _table!.Codes is not null
        && row.Query.K <= Math.Min(Int8Query.MaxK, left / _table.ItemsPerResult)
        && row.TryBeginBytes(_table.Codes);

    private void RunIfFull()
    {
        if (_thread!.Count == MaxQueries)
            Run();
    }

    /// <summary>Candidates that the rest of the filter lets pass, into <see cref="_items"/>.</summary>
    private int Pick(RankFilter filter, int[] candidates, int[] excluded)
    {
        if (_items.Length < candidates.Length)
            _items = new int[candidates.Length];
        int count = 0, blocked = 0, seen = 0;
        foreach (var item in candidates)
        {
            if (!IsIn(filter.BlockedItems, ref blocked, item) && !IsIn(excluded, ref seen, item)
                && (!filter.NamesCategories || filter.AllowsCategory(_table!.Categories.CategoryOf(item))))
                _items[count++] = item;
        }

        return count;
    }

    /// <summary>Walks an ascending list beside another.</summary>
    private static bool IsIn(int[] items, ref int next, int item)
    {
        while (next < items.Length && items[next] < item)
            next++;
        return next < items.Length && items[next] == item;
    }

    private void Project(SlotState state, float* query)
    {
        var bias = _model.Heads.NextProjectionBias!.Pointer;
        _model.Heads.NextProjection!.Multiply(_model.Kernel, state.Hidden, 0, 1, &bias, null, query, relu: false);
        _model.Heads.Memory?.AddTo(query, state.Memory);
    }
}
