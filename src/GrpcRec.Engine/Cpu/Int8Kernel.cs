using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// Matrix product of bytes with 32-bit sums: up to six rows by 64 columns. One side is signed and the other is not, as the
/// instruction wants it. Integers are exact, so every path gives the same sums in whatever order: batch invariance for free.
/// Packed weights: [blocks of 64 columns][K/4][64 columns][4], K padded with weights that multiply inputs of zero.
/// </summary>
internal static unsafe partial class Int8Kernel
{
    /// <summary>Columns of a block.</summary>
    public const int Columns = 64;

    /// <summary>Bytes of four consecutive k of a block.</summary>
    public const int GroupBytes = 4 * Columns;

    /// <summary>Rows of the largest block.</summary>
    public const int MaxRows = 6;

    /// <summary>255·128·K stays within 32 bits.</summary>
    public const int MaxDepth = int.MaxValue / (255 * 128) / 4 * 4;

    /// <summary>Groups of four k, the last one padded.</summary>
    public static int Groups(int depth) => (depth + 3) / 4;

    /// <summary>z[r, j] = Σₖ x[r, k]·w[k, j], for j in 0…63, in 32 bits.</summary>
    /// <typeparam name="TSigns"><see cref="SignedWeights"/> or <see cref="SignedInputs"/>: which of the two sides is signed.</typeparam>
    /// <param name="rows">1…<see cref="MaxRows"/>.</param>
    /// <param name="w">[groups, 64, 4] one block of packed weights.</param>
    /// <param name="groups">K/4; at most <see cref="MaxDepth"/>/4, checked by the packer.</param>
    /// <param name="x">[rows, ≥ 4·groups] with <paramref name="stride"/> bytes between rows.</param>
    /// <param name="z">[rows, 64] written.</param>
    public static void Multiply<TSigns>(Int8Path path, int rows, byte* w, nint groups, byte* x, nint stride, int* z)
        where TSigns : struct, IInt8Signs
    {
        if (path == Int8Path.Vnni)
        {
            MultiplyVnni<TSigns>(rows, w, groups, x, stride, z);
            return;
        }

        for (var r = 0; r < rows; r++)
        {
            if (path == Int8Path.Avx2)
                MultiplyAvx2<TSigns>(w, groups, x + (r * stride), z + (r * Columns));
            else
                MultiplyPortable<TSigns>(w, groups, x + (r * stride), z + (r * Columns));
        }
    }

    /// <summary>Rows of the next block when this many are left: blocks of nearly equal size, so that 7 rows are 4 + 3 and not 6 + 1.</summary>
    public static int NextRows(int left)
    {
        var blocks = (left + MaxRows - 1) / MaxRows;
        return (left + blocks - 1) / blocks;
    }

    private static void MultiplyPortable<TSigns>(byte* w, nint groups, byte* x, int* z)
        where TSigns : struct, IInt8Signs
    {
        new Span<int>(z, Columns).Clear();
        for (var group = 0; group < groups; group++, w += GroupBytes, x += 4)
        {
            for (var i = 0; i < GroupBytes; i++)
                z[i / 4] += TSigns.Input(x[i % 4]) * TSigns.Weight(w[i]);
        }
    }

    /// <summary>Eight columns of a group as two vectors of 16-bit numbers; products in pairs are exact in 32 bits, unlike the 8-bit form that saturates.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyAvx2<TSigns>(byte* w, nint groups, byte* x, int* z)
        where TSigns : struct, IInt8Signs
    {
        // 16 columns a pass: four sums of four columns, each column in two halves.
        for (var j = 0; j < Columns; j += 16)
        {
            Vector256<int> s0 = default, s1 = default, s2 = default, s3 = default;
            var column = w + (4 * j);
            for (nint group = 0; group < groups; group++, column += GroupBytes)
            {
                var input = Vector256.Create(TSigns.WidenInput(Vector128.CreateScalarUnsafe(*(int*)(x + (4 * group))).AsByte()).AsInt64().ToScalar()).AsInt16();
                s0 += Avx2.MultiplyAddAdjacent(TSigns.WidenWeight(Vector128.Load(column)), input);
                s1 += Avx2.MultiplyAddAdjacent(TSigns.WidenWeight(Vector128.Load(column + 16)), input);
                s2 += Avx2.MultiplyAddAdjacent(TSigns.WidenWeight(Vector128.Load(column + 32)), input);
                s3 += Avx2.MultiplyAddAdjacent(TSigns.WidenWeight(Vector128.Load(column + 48)), input);
            }

            // Adding neighbours leaves columns 0 1 4 5 2 3 6 7.
            Avx2.Permute4x64(Avx2.HorizontalAdd(s0, s1).AsInt64(), 0b11_01_10_00).AsInt32().Store(z + j);
            Avx2.Permute4x64(Avx2.HorizontalAdd(s2, s3).AsInt64(), 0b11_01_10_00).AsInt32().Store(z + j + 8);
        }
    }
}

/// <summary>Which side of a product of bytes is signed; the JIT makes a kernel for each.</summary>
internal interface IInt8Signs
{
    static abstract int Input(byte value);

    static abstract int Weight(byte value);

    static abstract Vector256<short> WidenInput(Vector128<byte> values);

    static abstract Vector256<short> WidenWeight(Vector128<byte> values);

    /// <summary>sums + four products each.</summary>
    static abstract Vector256<int> Dot(Vector256<int> sums, Vector256<byte> inputs, Vector256<byte> weights);
}

/// <summary>x is 0…255, w is −128…127.</summary>
internal readonly struct SignedWeights : IInt8Signs
{
    public static int Input(byte value) => value;

    public static int Weight(byte value) => (sbyte)value;

    public static Vector256<short> WidenInput(Vector128<byte> values) => Avx2.ConvertToVector256Int16(values);

    public static Vector256<short> WidenWeight(Vector128<byte> values) => Avx2.ConvertToVector256Int16(values.AsSByte());

    public static Vector256<int> Dot(Vector256<int> sums, Vector256<byte> inputs, Vector256<byte> weights) =>
        AvxVnni.MultiplyWideningAndAdd(sums, inputs, weights.AsSByte());
}

/// <summary>x is −128…127, w is 0…255.</summary>
internal readonly struct SignedInputs : IInt8Signs
{
    public static int Input(byte value) => (sbyte)value;

    public static int Weight(byte value) => value;

    public static Vector256<short> WidenInput(Vector128<byte> values) => Avx2.ConvertToVector256Int16(values.AsSByte());

    public static Vector256<short> WidenWeight(Vector128<byte> values) => Avx2.ConvertToVector256Int16(values);

    public static Vector256<int> Dot(Vector256<int> sums, Vector256<byte> inputs, Vector256<byte> weights) =>
        AvxVnni.MultiplyWideningAndAdd(sums, weights, inputs.AsSByte());
}
