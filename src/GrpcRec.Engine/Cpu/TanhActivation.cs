using System.Runtime.CompilerServices;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// tanh of scaled sums, one power of two away: (1 - 2^z) / (1 + 2^z). Absolute error against exact arithmetic ≤ 2e-7, never past ±1, finite
/// for every finite input, exactly 0 at 0.
/// </summary>
internal static unsafe class TanhActivation
{
    /// <summary>Factor for the weights and bias of a sum.</summary>
    public static float Scale => GateActivation.Scale(2);

    /// <param name="z">[units] scaled sums.</param>
    /// <param name="h">[units] written; may be <paramref name="z"/>.</param>
    /// <param name="units">Multiple of 16.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Apply<TLanes, TVector>(float* z, float* h, nint units)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        var one = TLanes.Broadcast(1);
        for (nint unit = 0; unit < units; unit += TLanes.Width)
        {
            var e = TLanes.Exp2(TLanes.Load(z + unit));
            TLanes.Store(TLanes.Divide(TLanes.Subtract(one, e), TLanes.Add(one, e)), h + unit);
        }
    }
}
