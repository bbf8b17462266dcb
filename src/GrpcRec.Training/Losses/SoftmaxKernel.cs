using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GrpcRec.Training.Losses;

/// <summary>
/// The two inner loops of <see cref="FusedSoftmaxLoss"/>: a block product of up to six rows by 64 columns with all sums in registers (where
/// vectors are 512 bits wide), and the exponential. Strides make one product serve logits, query gradient and embedding gradient.
/// </summary>
internal static unsafe class SoftmaxKernel
{
    /// <summary>Columns of a block: four vectors of 16.</summary>
    public const int Columns = 64;

    /// <summary>Rows of the largest block: 6 × 4 sums and 4 weights fill 28 of 32 registers.</summary>
    public const int MaxRows = 6;

    private const float Log2E = 1.44269504f;

    // 1.5·2^23: added to a small number it leaves the nearest integer in the low bits of the sum.
    private const float RoundingShift = 12582912f;

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

    /// <summary>x = exp(x - max) over a row.</summary>
    /// <param name="x">[count], overwritten; at least -87 below the maximum is 0 to float32's smallest normal number.</param>
    /// <param name="count">A multiple of 64.</param>
    /// <returns>The maximum and Σ exp(x - max).</returns>
    public static (float Max, float Sum) Exponentials(float* x, int count)
    {
        var m0 = Vector512.Load(x);
        var m1 = Vector512.Load(x + 16);
        var m2 = Vector512.Load(x + 32);
        var m3 = Vector512.Load(x + 48);
        for (var j = Columns; j < count; j += Columns)
        {
            m0 = Vector512.Max(m0, Vector512.Load(x + j));
            m1 = Vector512.Max(m1, Vector512.Load(x + j + 16));
            m2 = Vector512.Max(m2, Vector512.Load(x + j + 32));
            m3 = Vector512.Max(m3, Vector512.Load(x + j + 48));
        }

        m0 = Vector512.Max(Vector512.Max(m0, m1), Vector512.Max(m2, m3));
        var max = float.NegativeInfinity;
        for (var lane = 0; lane < 16; lane++)
            max = MathF.Max(max, m0[lane]);
        var shift = Vector512.Create(max * Log2E);
        Vector512<float> s0 = default, s1 = default;
        for (var j = 0; j < count; j += 32)
        {
            var e0 = Exp2(Vector512.FusedMultiplyAdd(Vector512.Load(x + j), Vector512.Create(Log2E), -shift));
            var e1 = Exp2(Vector512.FusedMultiplyAdd(Vector512.Load(x + j + 16), Vector512.Create(Log2E), -shift));
            e0.Store(x + j);
            e1.Store(x + j + 16);
            s0 += e0;
            s1 += e1;
        }

        return (max, Vector512.Sum(s0 + s1));
    }

    /// <summary>sum += x = x·scale.</summary>
    /// <param name="count">A multiple of 16.</param>
    public static void ScaleAndAdd(float* x, float scale, float* sum, int count)
    {
        var factor = Vector512.Create(scale);
        for (var j = 0; j < count; j += 16)
        {
            var p = Vector512.Load(x + j) * factor;
            p.Store(x + j);
            (Vector512.Load(sum + j) + p).Store(sum + j);
        }
    }

    /// <summary>2^z for z ≤ 0: a degree-6 polynomial on [-½, ½], relative error below 2e-7; 2^-126 and less are held there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Exp2(Vector512<float> z)
    {
        z = Vector512.MaxNative(z, Vector512.Create(-126f));
        var shifted = z + Vector512.Create(RoundingShift);
        var f = z - (shifted - Vector512.Create(RoundingShift));
        var p = Vector512.FusedMultiplyAdd(Vector512.Create(1.5453163e-4f), f, Vector512.Create(1.33908633e-3f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(9.61808302e-3f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(5.55035695e-2f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(0.240226507f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(0.693147182f));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512<float>.One);
        return (p.AsInt32() + Vector512.ShiftLeft(shifted.AsInt32(), 23)).AsSingle();
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
