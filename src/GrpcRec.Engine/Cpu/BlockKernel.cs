using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// The one matrix product of the CPU engine: up to six rows by 64 columns, all 24 sums in registers on a machine with 512-bit vectors.
/// Gates, heads, table building and the scan of the catalogue all run on it.
/// Batch invariance rests here: every sum starts from the same number and takes its products in ascending k, each by one fused
/// multiply-add, whatever the number of rows beside it.
/// </summary>
internal static unsafe class BlockKernel
{
    /// <summary>Columns of a block: four vectors of 16.</summary>
    public const int Columns = 64;

    /// <summary>Rows of the largest block: 6 × 4 sums and 4 weights fill 28 of 32 registers.</summary>
    public const int MaxRows = 6;

    /// <summary>Rows that are worth blocking here. Without 512-bit registers more sums than this spill to memory.</summary>
    public static int PreferredRows => Vector512.IsHardwareAccelerated ? MaxRows : 1;

    /// <summary>z[r, j] = first[r][offset + j] + second[r][offset + j] + Σₖ x[r, k]·w[k, j], for j in 0…63.</summary>
    /// <param name="rows">1…<see cref="MaxRows"/>.</param>
    /// <param name="w">[depth, 64] one block of a <see cref="PackedMatrix"/>.</param>
    /// <param name="x">[rows, ≥ depth] with <paramref name="stride"/> floats between rows.</param>
    /// <param name="first">[rows] pointers to where the sums start.</param>
    /// <param name="second">[rows] pointers to what is added to that.</param>
    /// <param name="z">[rows, 64] written; aligned to 64 bytes.</param>
    public static void Multiply(int rows, float* w, nint depth, float* x, nint stride, float** first, float** second, nint offset, float* z)
    {
        switch (rows)
        {
            case 1: Multiply<Rows1>(w, depth, x, stride, first, second, offset, z); break;
            case 2: Multiply<Rows2>(w, depth, x, stride, first, second, offset, z); break;
            case 3: Multiply<Rows3>(w, depth, x, stride, first, second, offset, z); break;
            case 4: Multiply<Rows4>(w, depth, x, stride, first, second, offset, z); break;
            case 5: Multiply<Rows5>(w, depth, x, stride, first, second, offset, z); break;
            case 6: Multiply<Rows6>(w, depth, x, stride, first, second, offset, z); break;
            default: throw new ArgumentOutOfRangeException(nameof(rows));
        }
    }

    /// <summary>Rows of the next block when this many are left: blocks of nearly equal size, so that 7 rows are 4 + 3 and not 6 + 1.</summary>
    public static int NextRows(int left)
    {
        var blocks = (left + PreferredRows - 1) / PreferredRows;
        return (left + blocks - 1) / blocks;
    }

    // Written out row by row: the sums must be locals to live in registers, and the JIT removes the rows past TRows.Count.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TRows>(float* w, nint depth, float* x, nint stride, float** first, float** second, nint offset, float* z)
        where TRows : struct, IRowCount
    {
        Vector512<float> a0, a1, a2, a3;
        Vector512<float> b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default;
        Vector512<float> d0 = default, d1 = default, d2 = default, d3 = default;
        Vector512<float> e0 = default, e1 = default, e2 = default, e3 = default;
        Vector512<float> f0 = default, f1 = default, f2 = default, f3 = default;

        Start(first[0] + offset, second[0] + offset, out a0, out a1, out a2, out a3);
        if (TRows.Count > 1)
            Start(first[1] + offset, second[1] + offset, out b0, out b1, out b2, out b3);
        if (TRows.Count > 2)
            Start(first[2] + offset, second[2] + offset, out c0, out c1, out c2, out c3);
        if (TRows.Count > 3)
            Start(first[3] + offset, second[3] + offset, out d0, out d1, out d2, out d3);
        if (TRows.Count > 4)
            Start(first[4] + offset, second[4] + offset, out e0, out e1, out e2, out e3);
        if (TRows.Count > 5)
            Start(first[5] + offset, second[5] + offset, out f0, out f1, out f2, out f3);

        // Two bases and two strides address six rows with four registers.
        var low = x;
        var high = x + (3 * stride);
        var stride2 = 2 * stride;
        for (var end = w + (depth * Columns); w < end; w += Columns, low++, high++)
        {
            var w0 = Vector512.Load(w);
            var w1 = Vector512.Load(w + 16);
            var w2 = Vector512.Load(w + 32);
            var w3 = Vector512.Load(w + 48);
            Add(low[0], w0, w1, w2, w3, ref a0, ref a1, ref a2, ref a3);
            if (TRows.Count > 1)
                Add(low[stride], w0, w1, w2, w3, ref b0, ref b1, ref b2, ref b3);
            if (TRows.Count > 2)
                Add(low[stride2], w0, w1, w2, w3, ref c0, ref c1, ref c2, ref c3);
            if (TRows.Count > 3)
                Add(high[0], w0, w1, w2, w3, ref d0, ref d1, ref d2, ref d3);
            if (TRows.Count > 4)
                Add(high[stride], w0, w1, w2, w3, ref e0, ref e1, ref e2, ref e3);
            if (TRows.Count > 5)
                Add(high[stride2], w0, w1, w2, w3, ref f0, ref f1, ref f2, ref f3);
        }

        Store(z, a0, a1, a2, a3);
        if (TRows.Count > 1)
            Store(z + Columns, b0, b1, b2, b3);
        if (TRows.Count > 2)
            Store(z + (2 * Columns), c0, c1, c2, c3);
        if (TRows.Count > 3)
            Store(z + (3 * Columns), d0, d1, d2, d3);
        if (TRows.Count > 4)
            Store(z + (4 * Columns), e0, e1, e2, e3);
        if (TRows.Count > 5)
            Store(z + (5 * Columns), f0, f1, f2, f3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Start(
        float* first, float* second, out Vector512<float> s0, out Vector512<float> s1, out Vector512<float> s2, out Vector512<float> s3)
    {
        s0 = Vector512.Load(first) + Vector512.Load(second);
        s1 = Vector512.Load(first + 16) + Vector512.Load(second + 16);
        s2 = Vector512.Load(first + 32) + Vector512.Load(second + 32);
        s3 = Vector512.Load(first + 48) + Vector512.Load(second + 48);
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
    private static void Store(float* z, Vector512<float> s0, Vector512<float> s1, Vector512<float> s2, Vector512<float> s3)
    {
        s0.Store(z);
        s1.Store(z + 16);
        s2.Store(z + 32);
        s3.Store(z + 48);
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
