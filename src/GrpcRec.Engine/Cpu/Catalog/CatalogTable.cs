using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>The output embeddings as the scans read them. Immutable; shared by an artefact's engines.</summary>
internal sealed unsafe class CatalogTable : IDisposable
{
    /// <summary>Below this many items float32 is as fast: measured with E = 64 and 128, 1 to 64 queries, in the caches.</summary>
    private const int MinInt8Items = 16_384;

    /// <summary>Catalogues of fewer items for each of the k wanted leave too many candidates.</summary>
    private const int MinInt8ItemsPerResult = 256;

    /// <param name="rows">[V, E] by item; kept.</param>
    /// <param name="bias">[V].</param>
    /// <param name="packed">The rows, 64 items a block: [V/64, E, 64]. Not owned, nor is <paramref name="packedBias"/>.</param>
    /// <param name="packedBias">[V, padded to 64].</param>
    /// <param name="codes">Owned; null: float32 alone.</param>
    public CatalogTable(BlockKernel kernel, Int8Path int8, float[] rows, int count, PackedMatrix packed, AlignedBuffer packedBias, Int8Catalog? codes, CategoryIndex categories)
    {
        (Kernel, Int8, Rows, Count, Items, ItemBias, Codes, Categories) = (kernel, int8, rows, count, packed, packedBias, codes, categories);
    }

    public BlockKernel Kernel { get; }

    public Int8Path Int8 { get; }

    /// <summary>V.</summary>
    public int Count { get; }

    /// <summary>E.</summary>
    public int Depth => Items.Depth;

    public int Blocks => Items.Blocks;

    /// <summary>[V, E].</summary>
    public float[] Rows { get; }

    public PackedMatrix Items { get; }

    public AlignedBuffer ItemBias { get; }

    public Int8Catalog? Codes { get; }

    public CategoryIndex Categories { get; }

    /// <summary>Bounds are for queries whose k is at most this share of the items that they may return.</summary>
    public int ItemsPerResult { get; init; } = 1;

    public static int ItemsPerResultFor(ScanKind scan) => scan == ScanKind.Int8 ? 1 : MinInt8ItemsPerResult;

    /// <summary>Null where the options or the size of the catalogue are against it.</summary>
    public static Int8Catalog? CreateCodes(EngineOptions options, ReadOnlySpan<float> rows, ReadOnlySpan<float> bias)
    {
        var depth = rows.Length / bias.Length;
        var wanted = options.Scan switch
        {
            ScanKind.Float32 => false,
            ScanKind.Int8 => depth <= Int8Kernel.MaxDepth,
            _ => bias.Length >= MinInt8Items && depth <= Int8Kernel.MaxDepth
                && Int8Paths.Resolve(options.Path) == Int8Path.Vnni && Int8Catalog.BytesFor(bias.Length, depth) <= options.ScanTableBudgetBytes,
        };
        return wanted ? new Int8Catalog(rows, bias) : null;
    }

    /// <summary>[≤ 64] items of a block: the last one may be short.</summary>
    public ulong ItemsOf(int block)
    {
        var left = Count - (block * BlockKernel.Columns);
        return left >= BlockKernel.Columns ? ulong.MaxValue : (1UL << left) - 1;
    }

    public void Dispose() => Codes?.Dispose();
}
