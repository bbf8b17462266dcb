using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using GrpcRec.Engine.Cpu.Catalog;

namespace GrpcRec.Engine.Cpu;

// .NET gives the instruction its short encoding, which knows 16 registers: the shapes fill them without spilling, and keep loads
// (weights + inputs) below the products, of which two start in a cycle. Measured on a Zen 5 (450 GOP/s at most), K = 128, weights in the
// first-level cache: one row 75 %, 2 to 5 rows 85 to 98 %, six rows 97 %.
internal static unsafe partial class Int8Kernel
{
    private const int Vector = 32;

    private static void MultiplyVnni<TSigns>(int rows, byte* w, nint groups, byte* x, nint stride, int* z)
        where TSigns : struct, IInt8Signs
    {
        switch (rows)
        {
            case 1: OneRow<TSigns>(w, groups, x, z); break;
            case 2: FewRows<TSigns, Two>(w, groups, x, stride, z); break;
            case 3: FewRows<TSigns, Three>(w, groups, x, stride, z); break;
            case 4: ManyRows<TSigns, Four>(w, groups, x, stride, z); break;
            case 5: ManyRows<TSigns, Five>(w, groups, x, stride, z); break;
            case 6: ManyRows<TSigns, Six>(w, groups, x, stride, z); break;
            default: throw new ArgumentOutOfRangeException(nameof(rows));
        }
    }

    /// <summary>1 × 64: eight sums, so that the latency of the products is hidden and weights stream through once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneRow<TSigns>(byte* w, nint groups, byte* x, int* z)
        where TSigns : struct, IInt8Signs
    {
        Vector256<int> s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default;
        for (var end = w + (groups * GroupBytes); w < end; w += GroupBytes, x += 4)
        {
            var input = Input(x);
            s0 = TSigns.Dot(s0, input, Vector256.Load(w));
            s1 = TSigns.Dot(s1, input, Vector256.Load(w + Vector));
            s2 = TSigns.Dot(s2, input, Vector256.Load(w + (2 * Vector)));
            s3 = TSigns.Dot(s3, input, Vector256.Load(w + (3 * Vector)));
            s4 = TSigns.Dot(s4, input, Vector256.Load(w + (4 * Vector)));
            s5 = TSigns.Dot(s5, input, Vector256.Load(w + (5 * Vector)));
            s6 = TSigns.Dot(s6, input, Vector256.Load(w + (6 * Vector)));
            s7 = TSigns.Dot(s7, input, Vector256.Load(w + (7 * Vector)));
        }

        s0.Store(z);
        s1.Store(z + 8);
        s2.Store(z + 16);
        s3.Store(z + 24);
        s4.Store(z + 32);
        s5.Store(z + 40);
        s6.Store(z + 48);
        s7.Store(z + 56);
    }

    /// <summary>
    /// The same, and which sums reach a bound. They are compared where they are: to load 64 bytes from two stores of 32 waits for both to
    /// reach the cache, which took a tenth of a query's time.
    /// </summary>
    /// <param name="scale">[64], as <paramref name="bias"/>: of the bound.</param>
    /// <returns>A bit for each column.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static ulong MultiplyRow(byte* w, nint groups, sbyte* x, UpperBound bound, float* scale, float* bias, int* z)
    {
        Vector256<int> s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default;
        for (var end = w + (groups * GroupBytes); w < end; w += GroupBytes, x += 4)
        {
            var input = Input((byte*)x);
            s0 = SignedInputs.Dot(s0, input, Vector256.Load(w));
            s1 = SignedInputs.Dot(s1, input, Vector256.Load(w + Vector));
            s2 = SignedInputs.Dot(s2, input, Vector256.Load(w + (2 * Vector)));
            s3 = SignedInputs.Dot(s3, input, Vector256.Load(w + (3 * Vector)));
            s4 = SignedInputs.Dot(s4, input, Vector256.Load(w + (4 * Vector)));
            s5 = SignedInputs.Dot(s5, input, Vector256.Load(w + (5 * Vector)));
            s6 = SignedInputs.Dot(s6, input, Vector256.Load(w + (6 * Vector)));
            s7 = SignedInputs.Dot(s7, input, Vector256.Load(w + (7 * Vector)));
        }

        Store(z, s0, s1);
        Store(z + 16, s2, s3);
        Store(z + 32, s4, s5);
        Store(z + 48, s6, s7);
        return bound.Reaching(Vector512.Create(s0, s1), scale, bias)
            | (bound.Reaching(Vector512.Create(s2, s3), scale + 16, bias + 16) << 16)
            | (bound.Reaching(Vector512.Create(s4, s5), scale + 32, bias + 32) << 32)
            | (bound.Reaching(Vector512.Create(s6, s7), scale + 48, bias + 48) << 48);
    }

    /// <summary>2 or 3 rows × 32 columns a pass.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FewRows<TSigns, TRows>(byte* w, nint groups, byte* x, nint stride, int* z)
        where TSigns : struct, IInt8Signs
        where TRows : struct, IRows
    {
        for (var j = 0; j < Columns; j += 32)
        {
            Vector256<int> a0 = default, a1 = default, a2 = default, a3 = default;
            Vector256<int> b0 = default, b1 = default, b2 = default, b3 = default;
            Vector256<int> c0 = default, c1 = default, c2 = default, c3 = default;
            var low = x;
            var column = w + (4 * j);
            for (var end = column + (groups * GroupBytes); column < end; column += GroupBytes, low += 4)
            {
                // Three inputs stay in registers and one weight at a time passes by: 12 + 3 + 1.
                Vector256<byte> x0 = Input(low), x1 = Input(low + stride), x2 = TRows.Count > 2 ? Input(low + (2 * stride)) : default;
                Few<TSigns, TRows>(Vector256.Load(column), x0, x1, x2, ref a0, ref b0, ref c0);
                Few<TSigns, TRows>(Vector256.Load(column + Vector), x0, x1, x2, ref a1, ref b1, ref c1);
                Few<TSigns, TRows>(Vector256.Load(column + (2 * Vector)), x0, x1, x2, ref a2, ref b2, ref c2);
                Few<TSigns, TRows>(Vector256.Load(column + (3 * Vector)), x0, x1, x2, ref a3, ref b3, ref c3);
            }

            Store(z + j, a0, a1);
            Store(z + j + 16, a2, a3);
            Store(z + Columns + j, b0, b1);
            Store(z + Columns + j + 16, b2, b3);
            if (TRows.Count > 2)
            {
                Store(z + (2 * Columns) + j, c0, c1);
                Store(z + (2 * Columns) + j + 16, c2, c3);
            }
        }
    }

    /// <summary>4 to 6 rows × 16 columns a pass: up to 12 sums, 2 weights, 1 input.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ManyRows<TSigns, TRows>(byte* w, nint groups, byte* x, nint stride, int* z)
        where TSigns : struct, IInt8Signs
        where TRows : struct, IRows
    {
        var stride2 = 2 * stride;
        for (var j = 0; j < Columns; j += 16)
        {
            Vector256<int> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default;
            Vector256<int> d0 = default, d1 = default, e0 = default, e1 = default, f0 = default, f1 = default;

            // Two bases and two strides address six rows with four registers.
            var low = x;
            var high = x + (3 * stride);
            var column = w + (4 * j);
            for (var end = column + (groups * GroupBytes); column < end; column += GroupBytes, low += 4, high += 4)
            {
                var w0 = Vector256.Load(column);
                var w1 = Vector256.Load(column + Vector);
                Pair<TSigns>(Input(low), w0, w1, ref a0, ref a1);
                Pair<TSigns>(Input(low + stride), w0, w1, ref b0, ref b1);
                Pair<TSigns>(Input(low + stride2), w0, w1, ref c0, ref c1);
                Pair<TSigns>(Input(high), w0, w1, ref d0, ref d1);
                if (TRows.Count > 4)
                    Pair<TSigns>(Input(high + stride), w0, w1, ref e0, ref e1);
                if (TRows.Count > 5)
                    Pair<TSigns>(Input(high + stride2), w0, w1, ref f0, ref f1);
            }

            Store(z + j, a0, a1);
            Store(z + Columns + j, b0, b1);
            Store(z + (2 * Columns) + j, c0, c1);
            Store(z + (3 * Columns) + j, d0, d1);
            if (TRows.Count > 4)
                Store(z + (4 * Columns) + j, e0, e1);
            if (TRows.Count > 5)
                Store(z + (5 * Columns) + j, f0, f1);
        }
    }

    /// <summary>Four bytes of a row in every lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Input(byte* x) => Vector256.Create(*(int*)x).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Few<TSigns, TRows>(
        Vector256<byte> w, Vector256<byte> x0, Vector256<byte> x1, Vector256<byte> x2, ref Vector256<int> a, ref Vector256<int> b, ref Vector256<int> c)
        where TSigns : struct, IInt8Signs
        where TRows : struct, IRows
    {
        a = TSigns.Dot(a, x0, w);
        b = TSigns.Dot(b, x1, w);
        if (TRows.Count > 2)
            c = TSigns.Dot(c, x2, w);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair<TSigns>(Vector256<byte> x, Vector256<byte> w0, Vector256<byte> w1, ref Vector256<int> s0, ref Vector256<int> s1)
        where TSigns : struct, IInt8Signs
    {
        s0 = TSigns.Dot(s0, x, w0);
        s1 = TSigns.Dot(s1, x, w1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(int* z, Vector256<int> s0, Vector256<int> s1)
    {
        s0.Store(z);
        s1.Store(z + 8);
    }

    /// <summary>A number that the JIT knows: one compiled kernel for each.</summary>
    private interface IRows
    {
        static abstract int Count { get; }
    }

    private readonly struct Two : IRows
    {
        public static int Count => 2;
    }

    private readonly struct Three : IRows
    {
        public static int Count => 3;
    }

    private readonly struct Four : IRows
    {
        public static int Count => 4;
    }

    private readonly struct Five : IRows
    {
        public static int Count => 5;
    }

    private readonly struct Six : IRows
    {
        public static int Count => 6;
    }
}
