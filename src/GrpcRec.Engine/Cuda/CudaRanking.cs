using System.Buffers;
using System.Runtime.InteropServices;
using GrpcRec.Engine.Cuda.Driver;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cuda;

/// <summary>
/// Best items of each query: a scan of the catalogue in f16 keeps a little more than k, float32 decides among those, and a certificate
/// tells whether anything outside could belong to them; where it could, the scan is done again in float32. Queries go in tiles.
/// </summary>
internal sealed unsafe class CudaRanking
{
    private const int MaxQueries = 64, MaxList = 512, ItemsOfATile = 128, ScanThreads = 128, MergeThreads = 256, QueryThreads = 128;

    /// <summary>Longer lists of exclusions are made into masks.</summary>
    private const int MaxExcluded = 512;

    private const long MaskBudgetBytes = 32 << 20, ListBudgetBytes = 8 << 20;

    private readonly CudaModel _model;
    private readonly CudaParts _parts;
    private readonly CudaStream _stream;
    private readonly CudaStates _states;
    private readonly CudaHeads _heads;
    private readonly int _catalog, _width, _maskWords, _maxMasks;
    private readonly CudaStaging _staging;
    private readonly PinnedMemory _results;
    private readonly DeviceMemory _queries, _rounded, _scales, _lists, _top;
    private readonly CudaFunction _round, _merge;
    private readonly CudaFunction?[] _scans = new CudaFunction?[4];
    private readonly ItemMask _mask;
    private readonly TopKHeap _heap = new();

    public CudaRanking(CudaModel model, CudaParts parts, CudaStates states, CudaHeads heads, CudaStream stream)
    {
        (_model, _parts, _states, _heads, _stream) = (model, parts, states, heads, stream);
        (_catalog, _width) = (model.Layout.CatalogSize, model.Shape.EmbeddingPadded);
        _mask = new ItemMask(_catalog);
        _maskWords = DenseLayer.Ceiling(_catalog, 32);
        _maxMasks = (int)Math.Clamp(MaskBudgetBytes / (_maskWords * sizeof(int)), 1, MaxQueries);
        _staging = new CudaStaging(model.Context, model.Budget, parts, MasksPlace + (_maxMasks * _maskWords));
        _queries = Allocate((long)MaxQueries * _width * sizeof(float));
        _rounded = Allocate((long)MaxQueries * _width * 2);
        _scales = Allocate(MaxQueries * sizeof(float));
        _lists = Allocate(2 * ListBudgetBytes);
        _top = Allocate(((2L * MaxQueries * MaxList) + MaxQueries) * sizeof(int));
        _results = parts.Own(new PinnedMemory(model.Context, _top.Bytes));
        _round = model.Module.Function("gr_query_round", QueryThreads);
        _merge = model.Module.Function("gr_rank_merge", MergeThreads);
        using var scope = model.Context.Enter();
        // Padding past E is never written.
        stream.Clear(_queries.Address, _queries.Bytes);
    }

    public long WorkBytes => _queries.Bytes + _rounded.Bytes + _lists.Bytes + _top.Bytes + ((long)_staging.Words * sizeof(int));

    // Places in the staging, in words: slots, which mask, where exclusions start, the exclusions, the masks.
    private static int MaskRowsPlace => MaxQueries;

    private static int StartsPlace => 2 * MaxQueries;

    private static int ExcludedPlace => DenseLayer.Pad(StartsPlace + MaxQueries + 1);

    private static int MasksPlace => ExcludedPlace + (MaxQueries * MaxExcluded);

    public void Rank(ReadOnlySpan<RankQuery> queries)
    {
        for (var first = 0; first < queries.Length;)
        {
            var (count, largest) = Tile(queries[first..]);
            var tile = queries.Slice(first, count);
            if (largest == 0)
                OnTheHost(tile[0]);
            else
                Scan(tile, largest);
            first += count;
        }
    }

    private static bool NeedsMask(RankQuery query) => query.Filter is { IsEmpty: false } || query.Excluded.Length > MaxExcluded;

    private static int ListFor(int k) => Math.Min(MaxList, DenseLayer.Pad(k + Math.Max(16, k / 4), 32));

    /// <summary>How many of the queries go together, and their largest k; 0: one that goes to the host.</summary>
    private (int Count, int LargestK) Tile(ReadOnlySpan<RankQuery> queries)
    {
        int count = 0, largest = 0, masks = 0;
        foreach (var query in queries)
        {
            var k = Math.Min(query.K, _catalog);
            if (k > MaxList || !Fits(Element.F32, ListFor(k)))
                return count == 0 ? (1, 0) : (count, largest);
            if (count == MaxQueries || (NeedsMask(query) && masks == _maxMasks))
                break;
            masks += NeedsMask(query) ? 1 : 0;
            count++;
            largest = Math.Max(largest, k);
        }

        return (count, largest);
    }

    private void Scan(ReadOnlySpan<RankQuery> tile, int k)
    {
        // 1. Slots, masks, exclusions.
        var (masks, excluded) = Send(tile);

        // 2. Queries, then the scan in f16.
        _heads.Queries(_staging.Device, tile.Length, _queries.Address);
        _round.Launch(_stream, tile.Length, 1, new QueryArguments { Queries = _queries.Address, Rounded = _rounded.Address, Scales = _scales.Address, Width = _width, Count = tile.Length });
        var list = ListFor(k);
        if (Fits(Element.F16, list))
        {
            Launch(Element.F16, tile.Length, k, list, masks, excluded);
            if (!Receive(tile, k, certifiedOnly: true))
                return;
        }

        // 3. What was not certain, in float32: all of the tile, since the catalogue is read once for it.
        Launch(Element.F32, tile.Length, k, list, masks, excluded);
        Receive(tile, k, certifiedOnly: false);
    }

    private (bool Masks, bool Excluded) Send(ReadOnlySpan<RankQuery> tile)
    {
        _states.Clear(_stream);
        var words = _staging.BeginAlone();
        int masks = 0, excluded = 0;
        for (var n = 0; n < tile.Length; n++)
        {
            var query = tile[n];
            words[n] = query.Slot.Index;
            words[MaskRowsPlace + n] = -1;
            words[StartsPlace + n] = excluded;
            if (NeedsMask(query))
            {
                _mask.Compile(query.Filter ?? new RankFilter(), query.Excluded, _model.Categories);
                MemoryMarshal.Cast<ulong, int>(_mask.Words)[.._maskWords].CopyTo(words[(MasksPlace + (masks * _maskWords))..]);
                words[MaskRowsPlace + n] = masks++;
            }
            else
            {
                query.Excluded.CopyTo(words[(ExcludedPlace + excluded)..]);
                excluded += query.Excluded.Length;
            }
        }

        words[StartsPlace + tile.Length] = excluded;
        _staging.SendAlone(masks > 0 ? MasksPlace + (masks * _maskWords) : ExcludedPlace + excluded, _stream);
        return (masks > 0, excluded > 0);
    }

    private void Launch(Element element, int queries, int k, int list, bool masks, bool excluded)
    {
        var perBlock = PerBlock(element, list);
        var rows = DenseLayer.Ceiling(queries, perBlock);
        // Two blocks for each multiprocessor, as far as lists and items go.
        var wanted = Math.Min(DenseLayer.Ceiling(2 * _model.Context.Multiprocessors, rows), DenseLayer.Ceiling(_catalog, ItemsOfATile));
        wanted = (int)Math.Clamp(Math.Min(wanted, ListBudgetBytes / ((long)queries * list * sizeof(float))), 1, 65_535);
        var slice = DenseLayer.Pad(DenseLayer.Ceiling(_catalog, wanted), ItemsOfATile);
        var slices = DenseLayer.Ceiling(_catalog, slice);
        var half = element == Element.F16;
        ulong At(int word) => _staging.Device + ((ulong)word * sizeof(int));
        var shared = ScanShared(perBlock, element, list);
        ScanOf(element, perBlock).Launch(
            _stream, slices, rows,
            new RankArguments
            {
                Items = half ? _model.OutputItemsHalf : _model.OutputItems, ItemBias = _model.ItemBias, Queries = half ? _rounded.Address : _queries.Address,
                Scales = half ? _scales.Address : 0, Masks = masks ? At(MasksPlace) : 0, MaskRows = At(MaskRowsPlace), Excluded = excluded ? At(ExcludedPlace) : 0,
                ExcludedStarts = At(StartsPlace), ListScores = _lists.Address, ListItems = _lists.Address + ListBudgetBytes,
                Catalog = _catalog, Width = _width, QueriesCount = queries, List = list, Slice = slice, Slices = slices,
            },
            shared);
        // float32 is scored again too, in the order of a candidate's logit: the answer has the same bits.
        _merge.Launch(
            _stream, queries, 1,
            new MergeArguments
            {
                ListScores = _lists.Address, ListItems = _lists.Address + ListBudgetBytes, ExactItems = _model.OutputItems, ExactQueries = _queries.Address,
                ItemBias = _model.ItemBias, TopScores = _top.Address, TopItems = TopItems, Certified = Certified, MaxItemNorm = _model.MaxItemNorm,
                Width = _width, List = list, Slices = slices, K = k,
            },
            (8 * list * 8) + (list * 4));
    }

    private ulong TopItems => _top.Address + (MaxQueries * MaxList * sizeof(int));

    private ulong Certified => _top.Address + (2 * MaxQueries * MaxList * sizeof(int));

    /// <returns>Whether a query is not certain, and so all are to be scanned again. Nothing was written then.</returns>
    private bool Receive(ReadOnlySpan<RankQuery> tile, int k, bool certifiedOnly)
    {
        var results = (int*)_results.Pointer;
        var scores = (float*)results;
        var items = results + (MaxQueries * MaxList);
        var certified = results + (2 * MaxQueries * MaxList);
        _stream.Download(scores, _top.Address, (long)tile.Length * k * sizeof(float));
        _stream.Download(items, TopItems, (long)tile.Length * k * sizeof(int));
        _stream.Download(certified, Certified, (long)tile.Length * sizeof(int));
        _stream.Synchronize();
        if (certifiedOnly && new ReadOnlySpan<int>(certified, tile.Length).Contains(0))
            return true;
        for (var n = 0; n < tile.Length; n++)
        {
            var found = new ReadOnlySpan<int>(items + (n * k), Math.Min(k, tile[n].K));
            var count = found.IndexOf(-1) is var end and >= 0 ? end : found.Length;
            var result = new RankedItem[count];
            for (var i = 0; i < count; i++)
                result[i] = new RankedItem(found[i], scores[(n * k) + i]);
            tile[n].Result = result;
        }

        return false;
    }

    /// <summary>A k past what a list holds, or a width past what shared memory holds: every score is brought here.</summary>
    private void OnTheHost(RankQuery query)
    {
        var logits = ArrayPool<float>.Shared.Rent(_catalog);
        try
        {
            _heads.ScoreCatalog(query.Slot, logits.AsSpan(0, _catalog));
            _mask.Compile(query.Filter ?? new RankFilter(), query.Excluded, _model.Categories);
            var kept = Math.Min(query.K, _mask.Count);
            _heap.Begin(new RankedItem[kept], kept);
            for (var item = 0; item < _catalog; item++)
            {
                if ((_mask.Words[item / 64] >> (item % 64) & 1) != 0)
                    _heap.Offer(item, logits[item]);
            }

            query.Result = _heap.Finish();
        }
        finally
        {
            ArrayPool<float>.Shared.Return(logits);
        }
    }

    /// <param name="perBlock">8 or 32.</param>
    private CudaFunction ScanOf(Element element, int perBlock) =>
        _scans[(element == Element.F32 ? 2 : 0) + (perBlock == 8 ? 1 : 0)] ??= _model.Module.Function($"gr_rank_scan_{element.Suffix()}_q{perBlock}", ScanThreads);

    private bool Fits(Element element, int list) => PerBlock(element, list) > 0;

    /// <summary>Queries of a block: as many as the device's shared memory holds; 0: not even the smaller number.</summary>
    private int PerBlock(Element element, int list) =>
        ScanShared(32, element, list) <= _model.Context.SharedBytesPerBlock ? 32 : ScanShared(8, element, list) <= _model.Context.SharedBytesPerBlock ? 8 : 0;

    /// <summary>gr_rank_scan_shared.</summary>
    private int ScanShared(int queries, Element element, int list) =>
        (2 * ItemsOfATile * 144) + (queries * ((_width * element.Bytes()) + 16)) + (queries * list * 8);

    private DeviceMemory Allocate(long bytes) => _parts.Own(DeviceMemory.Allocate(_model.Context, _model.Budget, bytes, "the ranking's work memory"));
}
