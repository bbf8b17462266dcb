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
    private readonly AlignedBuffer _bias;
    private readonly ScanVectors _vectors;
    private readonly Int8Catalog _bytes;
    private readonly CategoryIndex _categories = new(new ItemCatalog([]), 0);
    private readonly Dictionary<ScanKind, CatalogTable> _tables;

    /// <param name="rows">[V, E].</param>
    /// <param name="bias">[V].</param>
    /// <param name="margin">Of the bounds; 1 is right.</param>
    public ScanRun(float[] rows, float[] bias, KernelPath path, double margin = 1)
    {
        var depth = rows.Length / bias.Length;
        _packed = PackedMatrix.FromRows(bias.Length, rows);
        _bias = new AlignedBuffer(_packed.Width);
        bias.CopyTo(new Span<float>(_bias.Pointer, bias.Length));
        _bytes = new Int8Catalog(rows, bias, margin);
        _tables = new[] { ScanKind.Float32, ScanKind.Int8 }.ToDictionary(kind => kind, kind => new CatalogTable(
            BlockKernel.For(path), Int8Paths.Resolve(path), rows, bias.Length, _packed, _bias, kind == ScanKind.Int8 ? _bytes : null, _categories));
        _vectors = new ScanVectors(CatalogScan.MaxQueries, PackedMatrix.PaddedWidth(depth), depth);
    }

    /// <summary>Candidates that bounds left at the end of the last int8 run, of all queries.</summary>
    public int Candidates { get; private set; }

    /// <param name="queries">Of E numbers each; at most 64.</param>
    /// <param name="spare">Null: this thread alone.</param>
    /// <param name="partProducts">Size of what threads share.</param>
    /// <param name="filter">Null: the whole catalogue.</param>
    public RankedItem[][] Run(
        ScanKind kind, float[][] queries, int k, int[] excluded, ISpareThreads? spare = null, long partProducts = SharedScan.PartProducts, RankFilter? filter = null)
    {
        var table = _tables[kind];
        ItemMask? mask = null;
        if (filter is not null)
        {
            mask = new ItemMask(table.Count);
            mask.Compile(filter, excluded, _categories);
        }

        using var thread = new ScanThread(table, _vectors);
        using var shared = new SharedScan(table, _vectors, thread, spare, partProducts);
        var asked = queries.Select(_ => new RankQuery { Slot = default, K = k, Excluded = excluded }).ToArray();
        var whole = 0;
        for (var n = 0; n < queries.Length; n++)
        {
            if (mask is not null)
            {
                var masked = Begin(thread.Row(CatalogScan.MaxQueries - 1 - n), asked[n], queries[n], mask);
                thread.AddSingle(masked, inBytes: kind == ScanKind.Int8 && masked.TryBeginBytes(_bytes));
                continue;
            }

            var row = Begin(thread.Row(whole), asked[n], queries[n]);
            if (kind == ScanKind.Float32 || row.TryBeginBytes(_bytes))
            {
                thread.AddWhole(row);
                whole++;
            }
            else
            {
                thread.AddSingle(Begin(thread.Row(CatalogScan.MaxQueries - 1 - (n - whole)), asked[n], queries[n]), inBytes: false);
            }
        }

        shared.Run();
        Candidates = kind == ScanKind.Int8 ? Enumerable.Range(0, whole).Sum(row => thread.Row(row).Bytes->Count) : 0;
        thread.Clear();
        return [.. asked.Select(query => query.Result)];
    }

    public void Dispose()
    {
        _packed.Dispose();
        _bias.Dispose();
        _vectors.Dispose();
        _bytes.Dispose();
    }

    private ScanQuery Begin(ScanQuery row, RankQuery query, float[] vector, ItemMask? mask = null)
    {
        vector.CopyTo(new Span<float>(row.Vector, vector.Length));
        row.Begin(query, mask, mask?.Count ?? _tables[ScanKind.Float32].Count - query.Excluded.Length);
        return row;
    }
}
