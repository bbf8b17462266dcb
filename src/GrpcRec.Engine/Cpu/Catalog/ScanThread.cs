using System.Runtime.InteropServices;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>A tile's queries as one thread goes through the catalogue with them: what it works in, and what it finds.</summary>
internal sealed unsafe class ScanThread : IDisposable
{
    private readonly AlignedBuffer _bytes, _sums;
    private readonly ScanQuery[] _rows;
    private readonly Float32Scan _float32;
    private readonly Int8Scan? _int8;
    private readonly ThresholdGuess? _guess;

    // Those that read the whole catalogue the table's best way stand in rows 0…, the others anywhere.
    private readonly List<ScanQuery> _whole = [], _single = [], _singleFloat32 = [];

    public ScanThread(CatalogTable table, ScanVectors vectors)
    {
        _bytes = new AlignedBuffer(vectors.Rows * sizeof(Int8Query) / sizeof(float));
        _sums = new AlignedBuffer(BlockKernel.MaxRows * BlockKernel.Columns);
        _rows = new ScanQuery[vectors.Rows];
        for (var row = 0; row < _rows.Length; row++)
        {
            var bytes = (Int8Query*)_bytes.Pointer + row;
            bytes->Codes = vectors.Codes(row);
            _rows[row] = new ScanQuery(row, vectors.Vector(row), bytes);
        }

        List = new ListScan(table);
        _float32 = new Float32Scan(table, vectors.Vector(0), vectors.Stride, _sums.Pointer);
        if (table.Codes is null)
            return;
        _int8 = new Int8Scan(table, vectors.Codes(0), vectors.CodeStride, List);
        _guess = new ThresholdGuess(table, vectors.Codes(0), vectors.CodeStride);
    }

    public ListScan List { get; }

    /// <summary>Queries taken in.</summary>
    public int Count => _whole.Count + _single.Count + _singleFloat32.Count;

    /// <summary>Of <see cref="Count"/>, those without a mask.</summary>
    public int WholeCount => _whole.Count;

    public ScanQuery Row(int row) => _rows[row];

    /// <summary>The query of that number among those taken in.</summary>
    public ScanQuery Query(int n) =>
        n < _whole.Count ? _whole[n] : n < _whole.Count + _single.Count ? _single[n - _whole.Count] : _singleFloat32[n - _whole.Count - _single.Count];

    /// <param name="query">The next of rows 0…; its bytes have begun, where there are any.</param>
    public void AddWhole(ScanQuery query) => _whole.Add(query);

    /// <param name="inBytes">Its bytes have begun.</param>
    public void AddSingle(ScanQuery query, bool inBytes) => (inBytes ? _single : _singleFloat32).Add(query);

    /// <summary>Takes in the queries that another thread has taken in.</summary>
    public void Begin(ScanThread first)
    {
        Clear();
        for (var n = 0; n < first.Count; n++)
        {
            var query = first.Query(n);
            var inBytes = first.IsInBytes(n);
            _rows[query.Row].Begin(query, inBytes);
            if (n < first._whole.Count)
                AddWhole(_rows[query.Row]);
            else
                AddSingle(_rows[query.Row], inBytes);
        }
    }

    /// <summary>Looks at a sample first, before any thread scans.</summary>
    public void Guess() => _guess?.Run(Span(_whole), Span(_single));

    /// <summary>Goes through blocks of the catalogue, each higher than all before.</summary>
    /// <param name="to">Past the last block.</param>
    public void Scan(int from, int to)
    {
        if (_int8 is not null)
        {
            _int8.Run(Span(_whole), Span(_single), from, to);
            _float32.Run([], Span(_singleFloat32), from, to);
        }
        else
        {
            _float32.Run(Span(_whole), Span(_singleFloat32), from, to);
        }
    }

    /// <summary>Leaves a query's answer, with what other threads have found for it. Any thread's object may do it, with its own memory.</summary>
    /// <param name="first">Where the query was taken in.</param>
    /// <param name="others">Those that have scanned too; null: has not.</param>
    public void Answer(int n, ScanThread first, ReadOnlySpan<ScanThread?> others)
    {
        var query = first.Query(n);
        var inBytes = first.IsInBytes(n);
        foreach (var thread in others)
        {
            if (thread is null)
                continue;
            var other = thread._rows[query.Row];
            foreach (var item in other.Heap.Items)
                query.Heap.Offer(item.Item, item.Score);
            if (inBytes)
                _int8!.Merge(query, other);
        }

        if (inBytes)
            _int8!.Finish(query);
        query.Finish();
    }

    /// <summary>What is known to be reached by as many items as the queries want, here and on other threads.</summary>
    /// <param name="thresholds">[rows] taken where they are higher, raised where ours are.</param>
    public void ExchangeThresholds(float* thresholds)
    {
        for (var n = 0; n < Count; n++)
        {
            var query = Query(n);
            ref var common = ref thresholds[query.Row];
            // Another thread may write a lower one over ours in between: it is as true, and the next exchange mends it.
            var known = Volatile.Read(ref common);
            if (IsInBytes(n))
            {
                query.Bytes->Threshold = MathF.Max(query.Bytes->Threshold, known);
                Volatile.Write(ref common, query.Bytes->Threshold);
            }
            else
            {
                query.Heap.Raise(known);
                Volatile.Write(ref common, query.Heap.Threshold);
            }
        }
    }

    /// <summary>Holds on to no query.</summary>
    public void Clear()
    {
        for (var n = 0; n < Count; n++)
            Query(n).End();
        _whole.Clear();
        _single.Clear();
        _singleFloat32.Clear();
    }

    public void Dispose()
    {
        foreach (var row in _rows)
            row.Dispose();
        _int8?.Dispose();
        _guess?.Dispose();
        _bytes.Dispose();
        _sums.Dispose();
    }

    private static ReadOnlySpan<ScanQuery> Span(List<ScanQuery> queries) => CollectionsMarshal.AsSpan(queries);

    private bool IsInBytes(int n) => _int8 is not null && n < _whole.Count + _single.Count;
}
