using System.Runtime.CompilerServices;

namespace GrpcRec.Engine.Cpu;

/// <summary>The reduced precisions on one kind of vector.</summary>
internal sealed unsafe class VectorReducedKernel<TLanes, TVector> : ReducedKernel
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
{
    private const int Columns = Int8Kernel.Columns;

    // 1.5·2^23: a float of that size ends in its integer part, so adding it rounds to an integer and leaves it in the low bits.
    private const float RoundingShift = 12582912;

    /// <summary>Blocks of bfloat16 at once: a wide vector needs two to have eight sums, because four would wait for each other.</summary>
    private static int Paired => TLanes.Width == 16 ? 2 : 1;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Quantise(float* h, byte* codes, nint units)
    {
        for (nint j = 0; j < units; j += TLanes.Width)
            StoreCodes(TLanes.Load(h + j), codes + j);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Multiply(
        Int8Path path, Int8Matrix weights, byte* codes, nint stride, int rows, float** first, float** second, int* sums, float* y, nint yStride)
    {
        for (var block = 0; block < weights.Blocks; block++)
        {
            var offset = (nint)block * Columns;
            var compensation = weights.Compensation + offset;
            var scale = weights.Scale + offset;
            for (var row = 0; row < rows;)
            {
                var count = Int8Kernel.NextRows(rows - row);
                Int8Kernel.Multiply<SignedWeights>(path, count, weights.Block(block), weights.Groups, codes + (row * stride), stride, sums);
                var z = sums;
                for (var end = row + count; row < end; row++, z += Columns)
                {
                    for (nint j = 0; j < Columns; j += TLanes.Width)
                        TLanes.Store(Sum(z, compensation, scale, first[row] + offset, second is null ? null : second[row] + offset, j), y + (row * yStride) + offset + j);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Lstm(in LstmInt8Step step)
    {
        var weights = step.Weights;
        for (var n = 0; n < weights.Blocks; n++)
        {
            var block = step.Backward ? weights.Blocks - 1 - n : n;
            for (var row = 0; row < step.Rows;)
            {
                var count = Int8Kernel.NextRows(step.Rows - row);
                Int8Kernel.Multiply<SignedWeights>(
                    step.Path, count, weights.Block(block), weights.Groups, step.Codes + (row * step.CodeStride), step.CodeStride, step.Sums);
                Activate(count, step, row, block);
                row += count;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyRow(Bf16Matrix weights, float* x, float* first, float* second, float* y)
    {
        for (var block = 0; block < weights.Blocks; block += Paired)
        {
            var other = block + Paired - 1 < weights.Blocks ? block + Paired - 1 : block;
            MultiplyRow(weights, block, other, x, first, second, y + ((nint)block * Columns), y + ((nint)other * Columns));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void LstmRow(Bf16Matrix weights, in LstmStep step)
    {
        var second = step.Second is null ? null : step.Second[0];
        for (var n = 0; n < weights.Blocks; n += Paired)
        {
            var block = step.Backward ? weights.Blocks - 1 - n : n;
            var other = Paired == 1 || n + 1 == weights.Blocks ? block : step.Backward ? block - 1 : block + 1;
            MultiplyRow(weights, block, other, step.X, step.First[0], second, step.Sums, other == block ? step.Sums : step.Sums + Columns);
            Activate(step, block, step.Sums);
            if (other != block)
                Activate(step, other, step.Sums + Columns);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreCodes(TVector h, byte* codes)
    {
        // Two roundings, not a fused one, so that the same h has the same code on every processor.
        var steps = TLanes.Multiply(h, TLanes.Broadcast(HiddenSteps));
        TLanes.StoreLowBytes(TLanes.Add(steps, TLanes.Broadcast(RoundingShift + Int8Matrix.ZeroPoint)), codes);
    }

    /// <summary>A vector of columns' sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Sum(int* z, int* compensation, float* scale, float* first, float* second, nint column)
    {
        var start = TLanes.Load(first + column);
        if (second is not null)
            start = TLanes.Add(start, TLanes.Load(second + column));
        return TLanes.MultiplyAdd(TLanes.FromIntegers(z + column, compensation + column), TLanes.Load(scale + column), start);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Activate(int rows, in LstmInt8Step step, int row, int block)
    {
        nint offset = (nint)block * Columns, unit = (nint)block * PackedMatrix.UnitsPerBlock;
        var z = step.Sums;

        // Locals, because a store through a pointer makes the JIT read fields anew.
        var compensation = step.Weights.Compensation + offset;
        var scale = step.Weights.Scale + offset;
        for (var end = row + rows; row < end; row++, z += Columns)
        {
            // A few lines at a time: more at once than the cache can wait for would hold up the loads behind them.
            if (row < step.NextRows)
            {
                for (var line = 0; line < Columns; line += 16)
                    TLanes.Prefetch(step.Next[row] + offset + line);
            }

            float* first = step.First[row] + offset, second = step.Second is null ? null : step.Second[row] + offset;
            float* cell = step.Cell[row] + unit, target = step.Hidden[row] + unit;
            var codes = step.NextCodes + (row * step.CodeStride) + unit;
            for (nint j = 0; j < PackedMatrix.UnitsPerBlock; j += TLanes.Width)
            {
                var hidden = GateActivation.Cell<TLanes, TVector>(
                    Sum(z, compensation, scale, first, second, j),
                    Sum(z, compensation, scale, first, second, j + 16),
                    Sum(z, compensation, scale, first, second, j + 32),
                    Sum(z, compensation, scale, first, second, j + 48),
                    cell + j);
                TLanes.Store(hidden, target + j);
                StoreCodes(hidden, codes + j);
            }
        }
    }

    private static void Activate(in LstmStep step, int block, float* z)
    {
        nint unit = (nint)block * PackedMatrix.UnitsPerBlock;
        if (step.NextRows > 0)
        {
            for (var line = 0; line < Columns; line += 16)
                TLanes.Prefetch(step.Next[0] + (4 * unit) + line);
        }

        GateActivation.Apply<TLanes, TVector>(z, step.Cell[0] + unit, step.Hidden[0] + unit);
    }

    /// <summary>
    /// Sums of two blocks with vectors of 16, of one with narrower ones, by passes of four vectors of words. The other may be the first
    /// again where there is none.
    /// </summary>
    /// <param name="first">Of all blocks; so is <paramref name="second"/>, or null.</param>
    /// <param name="z">[64] written.</param>
    /// <param name="otherZ">[64] written; <paramref name="z"/> where there is no other.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyRow(Bf16Matrix weights, int block, int other, float* x, float* first, float* second, float* z, float* otherZ)
    {
        // Unit vectors of a pass: a word vector at `unit` of i and f, and one 16 words on of g and o.
        nint stride = TLanes.Width == 16 ? 0 : TLanes.Width, width = TLanes.Width == 16 ? 16 : 2 * TLanes.Width;
        for (nint unit = 0; unit < PackedMatrix.UnitsPerBlock; unit += width)
        {
            uint* w = weights.Block(block) + unit, v = weights.Block(other) + unit + stride;
            nint column = ((nint)block * Columns) + unit, next = ((nint)other * Columns) + unit + stride;
            Start(first, second, column, out var i0, out var f0, out var g0, out var o0);
            Start(first, second, next, out var i1, out var f1, out var g1, out var o1);
            var input = x;
            for (var end = input + weights.Depth; input < end; input++, w += Bf16Matrix.Words, v += Bf16Matrix.Words)
            {
                var value = TLanes.Broadcast(*input);
                i0 = TLanes.MultiplyAdd(value, TLanes.LowHalves(w), i0);
                f0 = TLanes.MultiplyAdd(value, TLanes.HighHalves(w), f0);
                g0 = TLanes.MultiplyAdd(value, TLanes.LowHalves(w + 16), g0);
                o0 = TLanes.MultiplyAdd(value, TLanes.HighHalves(w + 16), o0);
                i1 = TLanes.MultiplyAdd(value, TLanes.LowHalves(v), i1);
                f1 = TLanes.MultiplyAdd(value, TLanes.HighHalves(v), f1);
                g1 = TLanes.MultiplyAdd(value, TLanes.LowHalves(v + 16), g1);
                o1 = TLanes.MultiplyAdd(value, TLanes.HighHalves(v + 16), o1);
            }

            Store(z + unit, i0, f0, g0, o0);
            Store(otherZ + unit + stride, i1, f1, g1, o1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Start(float* first, float* second, nint column, out TVector i, out TVector f, out TVector g, out TVector o)
    {
        (i, f) = (TLanes.Load(first + column), TLanes.Load(first + column + 16));
        (g, o) = (TLanes.Load(first + column + 32), TLanes.Load(first + column + 48));
        if (second is null)
            return;
        (i, f) = (TLanes.Add(i, TLanes.Load(second + column)), TLanes.Add(f, TLanes.Load(second + column + 16)));
        (g, o) = (TLanes.Add(g, TLanes.Load(second + column + 32)), TLanes.Add(o, TLanes.Load(second + column + 48)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* z, TVector i, TVector f, TVector g, TVector o)
    {
        TLanes.Store(i, z);
        TLanes.Store(f, z + 16);
        TLanes.Store(g, z + 32);
        TLanes.Store(o, z + 48);
    }
}
