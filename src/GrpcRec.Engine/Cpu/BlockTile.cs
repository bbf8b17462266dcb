using System.Runtime.CompilerServices;

namespace GrpcRec.Engine.Cpu;

/// <summary>Rows × vectors of sums in registers, over the whole depth.</summary>
internal static unsafe class BlockTile
{
    /// <summary>Cache lines of a block's columns.</summary>
    private const int Lines = BlockKernel.Columns / 16;

    /// <summary>
    /// <see cref="BlockKernel.Multiply"/> of TRows rows and the first TVectors vectors of columns; pointers as there. TAhead: 1 fetches
    /// what <c>ahead</c> points at, 0 does not. <c>next</c> is fetched in narrow tiles too, all its lines.
    /// </summary>
    /// <remarks>
    /// Written out row by row: the sums must be locals to live in registers, and the JIT removes the rows and vectors past the counts.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TLanes, TVector, TRows, TVectors, TAhead>(
        float* w, nint depth, float* x, nint stride, float** first, float** second, nint offset, float* z, nint zStride, float* ahead, float** next)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
        where TRows : struct, ICount
        where TVectors : struct, ICount
        where TAhead : struct, ICount
    {
        TVector a0, a1, a2, a3;
        TVector b0 = default, b1 = default, b2 = default, b3 = default;
        TVector c0 = default, c1 = default, c2 = default, c3 = default;
        TVector d0 = default, d1 = default, d2 = default, d3 = default;
        TVector e0 = default, e1 = default, e2 = default, e3 = default;
        TVector f0 = default, f1 = default, f2 = default, f3 = default;

        Start<TLanes, TVector, TVectors>(first[0] + offset, second is null ? null : second[0] + offset, out a0, out a1, out a2, out a3);
        if (TRows.Value > 1)
            Start<TLanes, TVector, TVectors>(first[1] + offset, second is null ? null : second[1] + offset, out b0, out b1, out b2, out b3);
        if (TRows.Value > 2)
            Start<TLanes, TVector, TVectors>(first[2] + offset, second is null ? null : second[2] + offset, out c0, out c1, out c2, out c3);
        if (TRows.Value > 3)
            Start<TLanes, TVector, TVectors>(first[3] + offset, second is null ? null : second[3] + offset, out d0, out d1, out d2, out d3);
        if (TRows.Value > 4)
            Start<TLanes, TVector, TVectors>(first[4] + offset, second is null ? null : second[4] + offset, out e0, out e1, out e2, out e3);
        if (TRows.Value > 5)
            Start<TLanes, TVector, TVectors>(first[5] + offset, second is null ? null : second[5] + offset, out f0, out f1, out f2, out f3);

        // Two bases and two strides address six rows with four registers.
        var low = x;
        var high = x + (3 * stride);
        var stride2 = 2 * stride;
        var end = w + (depth * BlockKernel.Columns);
        var part = next is null ? depth * BlockKernel.Columns : (depth + Lines - 1) / Lines * BlockKernel.Columns;
        for (nint line = 0; w < end; line += 16)
        {
            // A few lines at a time: more at once than the cache can wait for would hold up the loads of weights behind them.
            if (next is not null)
            {
                for (var r = 0; r < TRows.Value; r++)
                    TLanes.Prefetch(next[r] + offset + line);
            }

            for (var stop = Smaller(w + part, end); w < stop; w += BlockKernel.Columns, low++, high++)
            {
                if (TAhead.Value > 0)
                {
                    TLanes.Prefetch(ahead);
                    TLanes.Prefetch(ahead + 16);
                    ahead += BlockKernel.AheadFloats;
                }

                TVector w0 = TLanes.Load(w), w1 = TLanes.Load(w + TLanes.Width), w2 = default, w3 = default;
                if (TVectors.Value > 2)
                {
                    w2 = TLanes.Load(w + (2 * TLanes.Width));
                    w3 = TLanes.Load(w + (3 * TLanes.Width));
                }

                Add<TLanes, TVector, TVectors>(low[0], w0, w1, w2, w3, ref a0, ref a1, ref a2, ref a3);
                if (TRows.Value > 1)
                    Add<TLanes, TVector, TVectors>(low[stride], w0, w1, w2, w3, ref b0, ref b1, ref b2, ref b3);
                if (TRows.Value > 2)
                    Add<TLanes, TVector, TVectors>(low[stride2], w0, w1, w2, w3, ref c0, ref c1, ref c2, ref c3);
                if (TRows.Value > 3)
                    Add<TLanes, TVector, TVectors>(high[0], w0, w1, w2, w3, ref d0, ref d1, ref d2, ref d3);
                if (TRows.Value > 4)
                    Add<TLanes, TVector, TVectors>(high[stride], w0, w1, w2, w3, ref e0, ref e1, ref e2, ref e3);
                if (TRows.Value > 5)
                    Add<TLanes, TVector, TVectors>(high[stride2], w0, w1, w2, w3, ref f0, ref f1, ref f2, ref f3);
            }
        }

        Store<TLanes, TVector, TVectors>(z, a0, a1, a2, a3);
        if (TRows.Value > 1)
            Store<TLanes, TVector, TVectors>(z + zStride, b0, b1, b2, b3);
        if (TRows.Value > 2)
            Store<TLanes, TVector, TVectors>(z + (2 * zStride), c0, c1, c2, c3);
        if (TRows.Value > 3)
            Store<TLanes, TVector, TVectors>(z + (3 * zStride), d0, d1, d2, d3);
        if (TRows.Value > 4)
            Store<TLanes, TVector, TVectors>(z + (4 * zStride), e0, e1, e2, e3);
        if (TRows.Value > 5)
            Store<TLanes, TVector, TVectors>(z + (5 * zStride), f0, f1, f2, f3);
    }

    /// <summary>One row by eight vectors of columns.</summary>
    /// <param name="second">Null: nothing is added.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyRow<TLanes, TVector>(float* w, nint depth, float* x, float* first, float* second, float* z)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        nint half = 4 * TLanes.Width;
        Start<TLanes, TVector, Count4>(first, second, out var a0, out var a1, out var a2, out var a3);
        Start<TLanes, TVector, Count4>(first + half, second is null ? null : second + half, out var b0, out var b1, out var b2, out var b3);
        for (var end = w + (depth * BlockKernel.Columns); w < end; w += BlockKernel.Columns, x++)
        {
            AddRow<TLanes, TVector>(*x, w, ref a0, ref a1, ref a2, ref a3);
            AddRow<TLanes, TVector>(*x, w + half, ref b0, ref b1, ref b2, ref b3);
        }

        Store<TLanes, TVector, Count4>(z, a0, a1, a2, a3);
        Store<TLanes, TVector, Count4>(z + half, b0, b1, b2, b3);
    }

    private static float* Smaller(float* a, float* b) => a < b ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddRow<TLanes, TVector>(float value, float* w, ref TVector s0, ref TVector s1, ref TVector s2, ref TVector s3)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        var x = TLanes.Broadcast(value);
        s0 = TLanes.MultiplyAdd(x, TLanes.Load(w), s0);
        s1 = TLanes.MultiplyAdd(x, TLanes.Load(w + TLanes.Width), s1);
        s2 = TLanes.MultiplyAdd(x, TLanes.Load(w + (2 * TLanes.Width)), s2);
        s3 = TLanes.MultiplyAdd(x, TLanes.Load(w + (3 * TLanes.Width)), s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Start<TLanes, TVector, TVectors>(
        float* first, float* second, out TVector s0, out TVector s1, out TVector s2, out TVector s3)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
        where TVectors : struct, ICount
    {
        s0 = TLanes.Load(first);
        s1 = TLanes.Load(first + TLanes.Width);
        s2 = s3 = default;
        if (TVectors.Value > 2)
        {
            s2 = TLanes.Load(first + (2 * TLanes.Width));
            s3 = TLanes.Load(first + (3 * TLanes.Width));
        }

        if (second is null)
            return;
        s0 = TLanes.Add(s0, TLanes.Load(second));
        s1 = TLanes.Add(s1, TLanes.Load(second + TLanes.Width));
        if (TVectors.Value > 2)
        {
            s2 = TLanes.Add(s2, TLanes.Load(second + (2 * TLanes.Width)));
            s3 = TLanes.Add(s3, TLanes.Load(second + (3 * TLanes.Width)));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<TLanes, TVector, TVectors>(
        float value, TVector w0, TVector w1, TVector w2, TVector w3, ref TVector s0, ref TVector s1, ref TVector s2, ref TVector s3)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
        where TVectors : struct, ICount
    {
        var x = TLanes.Broadcast(value);
        s0 = TLanes.MultiplyAdd(x, w0, s0);
        s1 = TLanes.MultiplyAdd(x, w1, s1);
        if (TVectors.Value > 2)
        {
            s2 = TLanes.MultiplyAdd(x, w2, s2);
            s3 = TLanes.MultiplyAdd(x, w3, s3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TLanes, TVector, TVectors>(float* z, TVector s0, TVector s1, TVector s2, TVector s3)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
        where TVectors : struct, ICount
    {
        TLanes.Store(s0, z);
        TLanes.Store(s1, z + TLanes.Width);
        if (TVectors.Value > 2)
        {
            TLanes.Store(s2, z + (2 * TLanes.Width));
            TLanes.Store(s3, z + (3 * TLanes.Width));
        }
    }
}
