using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Cpu.Catalog;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Tests.Cpu.Catalog;

/// <summary>A catalogue and queries of a test's own making, without a model around them.</summary>
internal sealed unsafe class ScanRun : IDisposable
{
    private readonly PackedMatrix _packed;
    private readonly AlignedBuffer _bias, _vectors, _codes, _bytes, _sums;
    private readonly ScanQuery[] _rows;
    private readonly CatalogTable _table;
    private readonly int _stride, _codeStride;

    /// <param name="rows">[V, E].</param>
    /// <param name="bias">[V].</param>
    /// <param name="margin">Of the bounds; 1 is right.</param>
    public ScanRun(float[] rows, float[] bias, KernelPath path, double margin = 1)
    {
        var depth = rows.Length / bias.Length;
        _packed = PackedMatrix.FromRows(bias.Length, rows);
        _bias = new AlignedBuffer(_packed.Width);
        bias.CopyTo(new Span<float>(_bias.Pointer, bias.Length));
        var categories = new CategoryIndex(new ItemCatalog([]), 0);
        _table = new CatalogTable(BlockKernel.For(path), Int8Paths.Resolve(path), rows, bias.Length, _packed, _bias, new Int8Catalog(rows, bias, margin), categories);
        _stride = PackedMatrix.PaddedWidth(depth) + 16;
        _codeStride = 4 * Int8Kernel.Groups(depth);
        _vectors = new AlignedBuffer(CatalogScan.MaxQueries * _stride);
        _codes = new AlignedBuffer(CatalogScan.MaxQueries * _codeStride);
        _bytes = new AlignedBuffer(CatalogScan.MaxQueries * sizeof(Int8Query) / sizeof(float));
        _rows = [.. Enumerable.Range(0, CatalogScan.MaxQueries).Select(row =>
        {
            var bytes = (Int8Query*)_bytes.Pointer + row;
            bytes->Codes = (sbyte*)_codes.Pointer + (row * _codeStride);
            return new ScanQuery(_vectors.Pointer + (row * _stride), bytes);
        })];
        _sums = new AlignedBuffer(BlockKernel.MaxRows * BlockKernel.Columns);
    }

    /// <summary>Candidates that bounds left at the end of the last int8 run, of all queries.</summary>
    public int Candidates { get; private set; }

    /// <param name="queries">Of E numbers each; at most 64.</param>
    public RankedItem[][] Run(ScanKind kind, float[][] queries, int k, int[] excluded)
    {
        var rows = queries.Select((query, row) =>
        {
            query.CopyTo(new Span<float>(_rows[row].Vector, query.Length));
            return _rows[row];
        }).ToArray();
        var asked = rows.Select(_ => new RankQuery { Slot = default, K = k, Excluded = excluded }).ToArray();
        for (var row = 0; row < rows.Length; row++)
            rows[row].Begin(asked[row], null, _table.Count - excluded.Length);
        var float32 = new Float32Scan(_table, _vectors.Pointer, _stride, _sums.Pointer);
        if (kind == ScanKind.Float32)
        {
            float32.Run(rows, []);
        }
        else
        {
            using var int8 = new Int8Scan(_table, (sbyte*)_codes.Pointer, _codeStride, new ListScan(_table));
            var inBytes = rows.Where(row => row.TryBeginBytes(_table.Codes!)).ToArray();
            if (inBytes.Length == rows.Length)
                int8.Run(rows, []);
            else
                int8.Run([], inBytes);
            float32.Run([], [.. rows.Except(inBytes)]);
            Candidates = inBytes.Sum(row => row.Bytes->Count);
        }

        foreach (var row in rows)
            row.Finish();
        return [.. asked.Select(query => query.Result)];
    }

    public void Dispose()
    {
        _packed.Dispose();
        _table.Dispose();
        foreach (var buffer in new[] { _bias, _vectors, _codes, _bytes, _sums })
            buffer.Dispose();
        foreach (var row in _rows)
            row.Dispose();
    }
}
