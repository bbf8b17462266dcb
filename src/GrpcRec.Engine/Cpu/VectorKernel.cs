using System.Runtime.CompilerServices;

namespace GrpcRec.Engine.Cpu;

/// <summary>The kernels on one kind of vector.</summary>
/// <param name="preferredRows">Rows whose sums fit the registers.</param>
/// <param name="vectors">Vectors of a row's sums in a tile, 2 or 4: what 64 columns are cut into.</param>
internal sealed unsafe class VectorKernel<TLanes, TVector>(string name, int preferredRows, int vectors) : BlockKernel
    where TLanes : struct, ILanes<TVector>
    where TVector : struct
{
    public override string Name => name;

    public override int PreferredRows => preferredRows;

    public override ReducedKernel Reduced { get; } = new VectorReducedKernel<TLanes, TVector>();

    public override void Multiply(
        int rows, float* w, nint depth, float* x, nint stride, float** first, float** second, nint offset, float* z, nint zStride, float* ahead, float** next)
    {
        // Few rows leave registers for more columns.
        var wide = vectors == 4 || rows <= 2;
        switch (rows)
        {
            case 1: MultiplyRow(w, depth, x, first[0] + offset, second is null ? null : second[0] + offset, z, next is null ? null : next[0] + offset); break;
            case 2: Wide<Count2>(w, depth, x, stride, first, second, offset, z, zStride, ahead, next); break;
            case 3 when wide: Wide<Count3>(w, depth, x, stride, first, second, offset, z, zStride, ahead, next); break;
            case 4 when wide: Wide<Count4>(w, depth, x, stride, first, second, offset, z, zStride, ahead, next); break;
            case 5 when wide: Wide<Count5>(w, depth, x, stride, first, second, offset, z, zStride, ahead, next); break;
            case 6 when wide: Wide<Count6>(w, depth, x, stride, first, second, offset, z, zStride, ahead, next); break;
            case 3: Slim<Count3>(w, depth, x, stride, first, second, offset, z, zStride, next); break;
            case 4: Slim<Count4>(w, depth, x, stride, first, second, offset, z, zStride, next); break;
            case 5: Slim<Count5>(w, depth, x, stride, first, second, offset, z, zStride, next); break;
            case 6: Slim<Count6>(w, depth, x, stride, first, second, offset, z, zStride, next); break;
            default: throw new ArgumentOutOfRangeException(nameof(rows));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyFour(float* x, nint depth, float** rows, float* sums)
    {
        float* r0 = rows[0], r1 = rows[1], r2 = rows[2], r3 = rows[3];
        float s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
        for (nint k = 0; k < depth; k++)
        {
            s0 = TLanes.MultiplyAdd(x[k], r0[k], s0);
            s1 = TLanes.MultiplyAdd(x[k], r1[k], s1);
            s2 = TLanes.MultiplyAdd(x[k], r2[k], s2);
            s3 = TLanes.MultiplyAdd(x[k], r3[k], s3);
        }

        sums[0] = s0;
        sums[1] = s1;
        sums[2] = s2;
        sums[3] = s3;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyEight(float* x, nint depth, float** rows, float* sums)
    {
        float* r0 = rows[0], r1 = rows[1], r2 = rows[2], r3 = rows[3], r4 = rows[4], r5 = rows[5], r6 = rows[6], r7 = rows[7];
        float s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], s4 = sums[4], s5 = sums[5], s6 = sums[6], s7 = sums[7];
        for (nint k = 0; k < depth; k++)
        {
            var value = x[k];
            s0 = TLanes.MultiplyAdd(value, r0[k], s0);
            s1 = TLanes.MultiplyAdd(value, r1[k], s1);
            s2 = TLanes.MultiplyAdd(value, r2[k], s2);
            s3 = TLanes.MultiplyAdd(value, r3[k], s3);
            s4 = TLanes.MultiplyAdd(value, r4[k], s4);
            s5 = TLanes.MultiplyAdd(value, r5[k], s5);
            s6 = TLanes.MultiplyAdd(value, r6[k], s6);
            s7 = TLanes.MultiplyAdd(value, r7[k], s7);
        }

        (sums[0], sums[1], sums[2], sums[3]) = (s0, s1, s2, s3);
        (sums[4], sums[5], sums[6], sums[7]) = (s4, s5, s6, s7);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override float Dot(float* a, float* b, nint count)
    {
        TVector s0 = default, s1 = default, s2 = default, s3 = default;
        for (nint k = 0; k < count; k += 4 * TLanes.Width)
        {
            s0 = TLanes.MultiplyAdd(TLanes.Load(a + k), TLanes.Load(b + k), s0);
            s1 = TLanes.MultiplyAdd(TLanes.Load(a + k + TLanes.Width), TLanes.Load(b + k + TLanes.Width), s1);
            s2 = TLanes.MultiplyAdd(TLanes.Load(a + k + (2 * TLanes.Width)), TLanes.Load(b + k + (2 * TLanes.Width)), s2);
            s3 = TLanes.MultiplyAdd(TLanes.Load(a + k + (3 * TLanes.Width)), TLanes.Load(b + k + (3 * TLanes.Width)), s3);
        }

        return TLanes.Sum(TLanes.Add(TLanes.Add(s0, s1), TLanes.Add(s2, s3)));
    }

    public override void Lstm(float* z, float* c, float* h) => GateActivation.Apply<TLanes, TVector>(z, c, h);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Lstm(in LstmStep step)
    {
        var weights = step.Weights;
        var fetches = weights.FetchesAhead && step.Rows > PreferredRows;
        for (var n = 0; n < weights.Blocks; n++)
        {
            var block = step.Backward ? weights.Blocks - 1 - n : n;
            nint offset = (nint)block * Columns, unit = (nint)block * PackedMatrix.UnitsPerBlock;
            var ahead = fetches && n + 1 < weights.Blocks ? weights.Block(step.Backward ? block - 1 : block + 1) : null;
            for (int row = 0, tile = 0; row < step.Rows; tile++)
            {
                var count = NextRows(step.Rows - row);
                Multiply(
                    count, weights.Block(block), weights.Depth, step.X + (row * step.Stride), step.Stride, step.First + row,
                    step.Second is null ? null : step.Second + row, offset, step.Sums, Columns,
                    ahead is null || tile > 1 ? null : ahead + (tile * weights.Depth * AheadFloats), step.NextRows > row ? step.Next + row : null);
                Activate(count, step, row, unit);
                row += count;
            }
        }
    }

    public override void GruReset(float* rz, float* h, float* product, nint units) =>
        GruActivation.Reset<TLanes, TVector>(rz, h, product, units);

    public override void GruUpdate(float* rz, float* n, float* old, float* h, nint units) =>
        GruActivation.Update<TLanes, TVector>(rz, n, old, h, units);

    public override void GruResetAndUpdate(float* rz, float* first, float* second, float* recurrent, float* old, float* h, nint units) =>
        GruActivation.ResetAndUpdate<TLanes, TVector>(rz, first, second, recurrent, old, h, units);

    public override void GruMix(float* first, float* second, nint n, float* old, float* h, nint units) =>
        GruActivation.Mix<TLanes, TVector>(first, second, n, old, h, units);

    public override void Softmax(float* z, nint count) => Cpu.Softmax.Apply<TLanes, TVector>(z, count);

    public override void Tanh(float* z, float* h, nint units) => TanhActivation.Apply<TLanes, TVector>(z, h, units);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void AddScaled(float scale, float* x, float* y, nint count)
    {
        var factor = TLanes.Broadcast(scale);
        for (nint k = 0; k < count; k += TLanes.Width)
            TLanes.Store(TLanes.MultiplyAdd(factor, TLanes.Load(x + k), TLanes.Load(y + k)), y + k);
    }

    /// <summary>
    /// One row of one block, eight vectors of narrow sums at a time, because four would wait for each other. Wide ones wait less than for
    /// their weights, and a second block beside the first would fall into the same sets of the first-level cache.
    /// </summary>
    private static void MultiplyRow(float* w, nint depth, float* x, float* first, float* second, float* z, float* next)
    {
        if (TLanes.Width == 16)
        {
            BlockTile.Multiply<TLanes, TVector, Count1, Count4, Count0>(w, depth, x, 0, &first, second is null ? null : &second, 0, z, Columns, null, null);
        }
        else
        {
            for (var j = 0; j < Columns; j += 8 * TLanes.Width)
                BlockTile.MultiplyRow<TLanes, TVector>(w + j, depth, x, first + j, second is null ? null : second + j, z + j);
        }

        // Four lines, after the weights that a single row waits for.
        for (var line = 0; next is not null && line < Columns; line += 16)
            TLanes.Prefetch(next + line);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Activate(int rows, in LstmStep step, int row, nint unit)
    {
        var z = step.Sums;
        for (var end = row + rows; row < end; row++, z += Columns)
            GateActivation.Apply<TLanes, TVector>(z, step.Cell[row] + unit, step.Hidden[row] + unit);
    }

    private static void Wide<TRows>(
        float* w, nint depth, float* x, nint stride, float** first, float** second, nint offset, float* z, nint zStride, float* ahead, float** next)
        where TRows : struct, ICount
    {
        // A narrow vector leaves more time between two lines of weights than memory takes for them.
        if (TLanes.Width == 16 && ahead is not null)
        {
            BlockTile.Multiply<TLanes, TVector, TRows, Count4, Count1>(w, depth, x, stride, first, second, offset, z, zStride, ahead, next);
            return;
        }

        for (var j = 0; j < Columns; j += 4 * TLanes.Width)
            BlockTile.Multiply<TLanes, TVector, TRows, Count4, Count0>(w + j, depth, x, stride, first, second, offset + j, z + j, zStride, null, j == 0 ? next : null);
    }

    private static void Slim<TRows>(float* w, nint depth, float* x, nint stride, float** first, float** second, nint offset, float* z, nint zStride, float** next)
        where TRows : struct, ICount
    {
        for (var j = 0; j < Columns; j += 2 * TLanes.Width)
            BlockTile.Multiply<TLanes, TVector, TRows, Count2, Count0>(w + j, depth, x, stride, first, second, offset + j, z + j, zStride, null, j == 0 ? next : null);
    }
}
