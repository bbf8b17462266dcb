using System.Runtime.CompilerServices;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// An LSTM cell on 16 units at once. Sums come in scaled, so that sigmoid and tanh are each one power of two away:
/// σ(x) = 1 / (1 + 2^(-x·log₂e)), tanh(x) = (1 - 2^(-2x·log₂e)) / (1 + 2^(-2x·log₂e)).
/// The two divisions of the cell serve all five functions. Absolute error against exact arithmetic ≤ 4e-7 for c and h in [-1, 1];
/// finite for every finite input.
/// </summary>
internal static unsafe class GateActivation
{
    private const float Log2E = 1.44269504f;

    /// <summary>Factor for the weights and bias of a gate (0…3: i, f, g, o).</summary>
    public static float Scale(int gate) => gate == 2 ? -2 * Log2E : -Log2E;

    /// <summary>c' = σ(f)·c + σ(i)·tanh(g), h' = σ(o)·tanh(c').</summary>
    /// <param name="z">[64] scaled sums: 16 of i, f, g, o each.</param>
    /// <param name="c">[16] cell, overwritten.</param>
    /// <param name="h">[16] hidden state, written.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Apply<TLanes, TVector>(float* z, float* c, float* h)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        for (var j = 0; j < PackedMatrix.UnitsPerBlock; j += TLanes.Width)
        {
            var hidden = Cell<TLanes, TVector>(
                TLanes.Load(z + j), TLanes.Load(z + j + 16), TLanes.Load(z + j + 32), TLanes.Load(z + j + 48), c + j);
            TLanes.Store(hidden, h + j);
        }
    }

    /// <summary>The same of one vector of units.</summary>
    /// <param name="c">[Width] cell, overwritten.</param>
    /// <returns>h'.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Cell<TLanes, TVector>(TVector i, TVector f, TVector g, TVector o, float* c)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        var one = TLanes.Broadcast(1);
        i = TLanes.Add(TLanes.Exp2(i), one);
        f = TLanes.Add(TLanes.Exp2(f), one);
        g = TLanes.Exp2(g);
        o = TLanes.Add(TLanes.Exp2(o), one);

        // c/f + (1 - g)/(i·(1 + g)) over one denominator.
        var ig = TLanes.Multiply(i, TLanes.Add(g, one));
        var above = TLanes.MultiplyAdd(TLanes.Load(c), ig, TLanes.Multiply(TLanes.Subtract(one, g), f));
        var cell = TLanes.Divide(above, TLanes.Multiply(ig, f));
        TLanes.Store(cell, c);
        var e = TLanes.Exp2(TLanes.Multiply(cell, TLanes.Broadcast(-2 * Log2E)));
        return TLanes.Divide(TLanes.Subtract(one, e), TLanes.Multiply(TLanes.Add(one, e), o));
    }
}
