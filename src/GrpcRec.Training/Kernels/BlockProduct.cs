using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GrpcRec.Training.Kernels;

/// <summary>
/// The one matrix product of training's own kernels: up to six rows by 64 columns with all sums in registers (where vectors are 512 bits
/// wide). Strides make it serve A·B, A·Bᵀ over a packed B, and Aᵀ·B alike.
/// </summary>
internal static unsafe class BlockProduct
{
    /// <summary>Columns of a block: four vectors of 16.</summary>
    public const int Columns = 64;

    /// <summary>Rows of the largest block: 6 × 4 sums and 4 weights fill 28 of 32 registers.</summary>
    public const int MaxRows = 6;

    /// <summary>Columns, padded to whole blocks.</summary>
    public static int Padded(int count) => (count + Columns - 1) / Columns * Columns;

    /// <summary>Rows of the next block when this many are left: blocks of nearly equal size, so that 8 rows are 4 + 4 and not 6 + 2.</summary>
    public static int NextRows(int left)
    {
        var blocks = (left + MaxRows - 1) / MaxRows;
        return (left + blocks - 1) / blocks;
    }

    /// <summary>y[r, j] = start[r, j] + Σₖ a[r·rowStride + k·depthStride]·w[k, j], r in 0…rows-1, j in 0…63.</summary>
    /// <param name="rows">1…<see cref="MaxRows"/>.</param>
    /// <param name="w">[depth, ≥ 64] with <paramref name="wStride"/> floats between rows.</param>
    /// <param name="start">[rows, 64] with <paramref name="startStride"/> floats between rows; 0: one row for all.</param>
    /// <param name="y">[rows, 64] with <paramref name="yStride"/> floats between rows; may be <paramref name="start"/>.</param>
    public static void Multiply(
        int rows, float* a, nint rowStride, nint depthStride, float* w, nint wStride, nint depth, float* start, nint startStride, float* y, nint yStride)
    {
        switch (rows)
        {
            case 1: Multiply<Rows1>(a, rowStride, depthStride, w, wStride, depth, start, startStride, y, yStride); break;
            case 2: Multiply<Rows2>(a, rowStride, depthStride, w, wStride, depth, start, startStride, y, yStride); break;
            case 3: Multiply<Rows3>(a, rowStride, depthStride, w, wStride, depth, start, startStride, y, yStride); break;
            case 4: Multiply<Rows4>(a, rowStride, depthStride, w, wStride, depth, start, startStride, y, yStride); break;
            case 5: Multiply<Rows5>(a, rowStride, depthStride, w, wStride, depth, start, startStride, y, yStride); break;
            case 6: Multiply<Rows6>(a, rowStride, depthStride, w, wStride, depth, start, startStride, y, yStride); break;
            default: throw new ArgumentOutOfRangeException(nameof(rows));
        }
    }

    // Written out row by row: the sums must be locals to live in registers, and the JIT removes the rows past TRows.Count.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TRows>(
        float* a, nint rowStride, nint depthStride, float* w, nint wStride, nint depth, float* start, nint startStride, float* y, nint yStride)
        where TRows : struct, IRowCount
    {
        Load(start, out var a0, out var a1, out var a2, out var a3);
        Vector512<float> b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default;
        Vector512<float> d0 = default, d1 = default, d2 = default, d3 = default;
        Vector512<float> e0 = default, e1 = default, e2 = default, e3 = default;
        Vector512<float> f0 = default, f1 = default, f2 = default, f3 = default;
        if (TRows.Count > 1)
            Load(start + startStride, out b0, out b1, out b2, out b3);
        if (TRows.Count > 2)
            Load(start + (2 * startStride), out c0, out c1, out c2, out c3);
        if (TRows.Count > 3)
            Load(start + (3 * startStride), out d0, out d1, out d2, out d3);
        if (TRows.Count > 4)
            Load(start + (4 * startStride), out e0, out e1, out e2, out e3);
        if (TRows.Count > 5)
            Load(start + (5 * startStride), out f0, out f1, out f2, out f3);

        // Two bases and two strides address six rows with four registers.
        var low = a;
        var high = a + (3 * rowStride);
        var rowStride2 = 2 * rowStride;
        for (var k = depth; k > 0; k--, w += wStride, low += depthStride, high += depthStride)
        {
            Load(w, out var w0, out var w1, out var w2, out var w3);
            Add(low[0], w0, w1, w2, w3, ref a0, ref a1, ref a2, ref a3);
            if (TRows.Count > 1)
                Add(low[rowStride], w0, w1, w2, w3, ref b0, ref b1, ref b2, ref b3);
            if (TRows.Count > 2)
                Add(low[rowStride2], w0, w1, w2, w3, ref c0, ref c1, ref c2, ref c3);
            if (TRows.Count > 3)
                Add(high[0], w0, w1, w2, w3, ref d0, ref d1, ref d2, ref d3);
            if (TRows.Count > 4)
                Add(high[rowStride], w0, w1, w2, w3, ref e0, ref e1, ref e2, ref e3);
            if (TRows.Count > 5)
                Add(high[rowStride2], w0, w1, w2, w3, ref f0, ref f1, ref f2, ref f3);
        }

        Store(y, a0, a1, a2, a3);
        if (TRows.Count > 1)
            Store(y + yStride, b0, b1, b2, b3);
        if (TRows.Count > 2)
            Store(y + (2 * yStride), c0, c1, c2, c3);
        if (TRows.Count > 3)
            Store(y + (3 * yStride), d0, d1, d2, d3);
        if (TRows.Count > 4)
            Store(y + (4 * yStride), e0, e1, e2, e3);
        if (TRows.Count > 5)
            Store(y + (5 * yStride), f0, f1, f2, f3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load(float* x, out Vector512<float> v0, out Vector512<float> v1, out Vector512<float> v2, out Vector512<float> v3)
    {
        v0 = Vector512.Load(x);
        v1 = Vector512.Load(x + 16);
        v2 = Vector512.Load(x + 32);
        v3 = Vector512.Load(x + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(
        float value, Vector512<float> w0, Vector512<float> w1, Vector512<float> w2, Vector512<float> w3,
        ref Vector512<float> s0, ref Vector512<float> s1, ref Vector512<float> s2, ref Vector512<float> s3)
    {
        var x = Vector512.Create(value);
        s0 = Vector512.FusedMultiplyAdd(x, w0, s0);
        s1 = Vector512.FusedMultiplyAdd(x, w1, s1);
        s2 = Vector512.FusedMultiplyAdd(x, w2, s2);
        s3 = Vector512.FusedMultiplyAdd(x, w3, s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* y, Vector512<float> v0, Vector512<float> v1, Vector512<float> v2, Vector512<float> v3)
    {
        v0.Store(y);
        v1.Store(y + 16);
        v2.Store(y + 32);
        v3.Store(y + 48);
    }

    /// <summary>A number that the JIT knows: one compiled kernel for each.</summary>
    private interface IRowCount
    {
        static abstract int Count { get; }
    }

    private readonly struct Rows1 : IRowCount
    {
        public static int Count => 1;
    }

    private readonly struct Rows2 : IRowCount
    {
        public static int Count => 2;
    }

    private readonly struct Rows3 : IRowCount
    {
        public static int Count => 3;
    }

    private readonly struct Rows4 : IRowCount
    {
        public static int Count => 4;
    }

    private readonly struct Rows5 : IRowCount
    {
        public static int Count => 5;
    }

    private readonly struct Rows6 : IRowCount
    {
        public static int Count => 6;
    }
}
