using System.Runtime.Intrinsics;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// Weights in the order in which <see cref="BlockKernel"/> reads them: [blocks, depth, 64], one block of 64 output columns after the
/// other, so that a product streams through memory once. Columns past the last are zero.
/// </summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    /// <summary>Units of a block of gates: 16 units × 4 gates = 64 columns.</summary>
    public const int UnitsPerBlock = 16;

    /// <summary>What current processors have at least of it for each core.</summary>
    private const int SecondLevelCacheBytes = 1 << 20;

    private readonly AlignedBuffer _data;

    private PackedMatrix(int blocks, int depth)
    {
        Blocks = blocks;
        Depth = depth;
        _data = new AlignedBuffer((long)blocks * depth * BlockKernel.Columns);
    }

    public int Blocks { get; }

    /// <summary>K, length of a row of the input.</summary>
    public int Depth { get; }

    /// <summary>Output columns with padding: 64 × blocks.</summary>
    public int Width => Blocks * BlockKernel.Columns;

    public long Bytes => _data.Bytes;

    /// <summary>
    /// A sweep over all blocks does not stay in the second-level cache, so two tiles of rows fetch the next block's weights, half each.
    /// </summary>
    public bool FetchesAhead => Bytes > SecondLevelCacheBytes / 2;

    /// <summary>Columns, padded to whole blocks.</summary>
    public static int PaddedWidth(int columns) => (columns + BlockKernel.Columns - 1) / BlockKernel.Columns * BlockKernel.Columns;

    /// <summary>Units, padded to whole vectors.</summary>
    public static int PaddedUnits(int units) => (units + UnitsPerBlock - 1) / UnitsPerBlock * UnitsPerBlock;

    /// <summary>Column j of the product is row j of the sources, side by side.</summary>
    /// <param name="rows">N.</param>
    /// <param name="sources">Each [N, Kᵢ], row-major; depth is Σ Kᵢ.</param>
    public static PackedMatrix FromRows(int rows, params ReadOnlySpan<float[]> sources)
    {
        var packed = new PackedMatrix(PaddedWidth(rows) / BlockKernel.Columns, Sum(sources) / rows);
        var k0 = 0;
        foreach (var source in sources)
        {
            var depth = source.Length / rows;
            for (var row = 0; row < rows; row++)
                packed.SetColumn(row, k0, source.AsSpan(row * depth, depth), 1);
            k0 += depth;
        }

        return packed;
    }

    /// <summary>The rows of a recurrent layer's weights, placed and scaled as a layout says.</summary>
    /// <param name="source">[Gates·H, K], row-major.</param>
    public static PackedMatrix FromGates(GateLayout layout, float[] source)
    {
        var rows = layout.Gates * layout.Hidden;
        var depth = source.Length / rows;
        var packed = new PackedMatrix(layout.Width / BlockKernel.Columns, depth);
        for (var row = 0; row < rows; row++)
            packed.SetColumn(layout.Column(row), 0, source.AsSpan(row * depth, depth), layout.Scale(row / layout.Hidden));
        return packed;
    }

    /// <summary>[Depth, 64].</summary>
    public float* Block(int block) => _data.Pointer + ((long)block * Depth * BlockKernel.Columns);

    /// <summary>y[r] = first[r] + second[r] + x[r]·W, all columns.</summary>
    /// <param name="x">[rows, ≥ Depth], <paramref name="stride"/> floats between rows.</param>
    /// <param name="first">[rows] pointers to <see cref="Width"/> floats each; so is <paramref name="second"/>, or null.</param>
    /// <param name="y">[rows, Width] written, <paramref name="yStride"/> floats between rows (0: without gaps); aligned to 64 bytes.</param>
    public void Multiply(BlockKernel kernel, float* x, nint stride, int rows, float** first, float** second, float* y, bool relu, nint yStride = 0)
    {
        if (yStride == 0)
            yStride = Width;
        for (var block = 0; block < Blocks; block++)
        {
            var offset = (nint)block * BlockKernel.Columns;
            var ahead = FetchesAhead && block + 1 < Blocks ? Block(block + 1) : null;
            for (int row = 0, tile = 0; row < rows; tile++)
            {
                var count = kernel.NextRows(rows - row);
                var target = y + (row * yStride) + offset;
                kernel.Multiply(
                    count, Block(block), Depth, x + (row * stride), stride, first + row, second is null ? null : second + row, offset, target, yStride,
                    ahead is null || tile > 1 ? null : ahead + (tile * (nint)Depth * BlockKernel.AheadFloats));
                for (var r = 0; relu && r < count; r++)
                    Rectify(target + (r * yStride));
                row += count;
            }
        }
    }

    public void Dispose() => _data.Dispose();

    private static void Rectify(float* block)
    {
        for (var j = 0; j < BlockKernel.Columns; j += 16)
            Vector512.Max(Vector512.Load(block + j), Vector512<float>.Zero).Store(block + j);
    }

    private static int Sum(ReadOnlySpan<float[]> sources)
    {
        var sum = 0L;
        foreach (var source in sources)
            sum += source.Length;
        return checked((int)sum);
    }

    private void SetColumn(int column, int k0, ReadOnlySpan<float> values, float scale)
    {
        var target = Block(column / BlockKernel.Columns) + (k0 * BlockKernel.Columns) + (column % BlockKernel.Columns);
        for (var k = 0; k < values.Length; k++)
            target[k * BlockKernel.Columns] = values[k] * scale;
    }
}
