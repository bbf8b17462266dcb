using System.Runtime.CompilerServices;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// A GRU's cell. Sums come in scaled like an LSTM's (<see cref="GateActivation"/>), so that each function is one power of two away. The new
/// state (1 - σ(z))·tanh(n) + σ(z)·h is one division: with a = 2^z and b = 2^n it is (a·(1 - b) + h·(1 + b)) / ((1 + a)·(1 + b)). Absolute
/// error against exact arithmetic ≤ 4e-7 for h in [-1, 1]; finite for every finite input; 0 from zeros, which is what a padding unit holds.
/// </summary>
internal static unsafe class GruActivation
{
    /// <summary>Factor for the weights and bias of a gate (0…2: r, z, n).</summary>
    public static float Scale(int gate) => GateActivation.Scale(gate == 2 ? 2 : 0);

    /// <summary>product = σ(r)∘h.</summary>
    /// <param name="rz">[units/16, 2, 16] scaled sums of r and z.</param>
    /// <param name="units">Multiple of 16.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Reset<TLanes, TVector>(float* rz, float* h, float* product, nint units)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        var one = TLanes.Broadcast(1);
        for (nint unit = 0; unit < units; unit += TLanes.Width)
        {
            var r = TLanes.Add(TLanes.Exp2(TLanes.Load(rz + Place(unit))), one);
            TLanes.Store(TLanes.Divide(TLanes.Load(h + unit), r), product + unit);
        }
    }

    /// <summary>h' of the candidate's whole sum n.</summary>
    /// <param name="n">[units] scaled sums.</param>
    /// <param name="old">[units] h.</param>
    /// <param name="h">[units] h', written; may be <paramref name="old"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Update<TLanes, TVector>(float* rz, float* n, float* old, float* h, nint units)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        for (nint unit = 0; unit < units; unit += TLanes.Width)
            Combine<TLanes, TVector>(TLanes.Load(rz + Place(unit) + 16), TLanes.Load(n + unit), old + unit, h + unit);
    }

    /// <summary>h' of n = first + second + σ(r)·recurrent.</summary>
    /// <param name="first">[units] scaled sums of what the input adds to the candidate; so is <paramref name="second"/>, or null.</param>
    /// <param name="recurrent">[units] scaled sums of what the old state adds, with the bias that the reset gate applies to.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ResetAndUpdate<TLanes, TVector>(float* rz, float* first, float* second, float* recurrent, float* old, float* h, nint units)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        var one = TLanes.Broadcast(1);
        for (nint unit = 0; unit < units; unit += TLanes.Width)
        {
            var r = TLanes.Add(TLanes.Exp2(TLanes.Load(rz + Place(unit))), one);
            var n = TLanes.Load(first + unit);
            if (second is not null)
                n = TLanes.Add(n, TLanes.Load(second + unit));
            n = TLanes.Add(n, TLanes.Divide(TLanes.Load(recurrent + unit), r));
            Combine<TLanes, TVector>(TLanes.Load(rz + Place(unit) + 16), n, old + unit, h + unit);
        }
    }

    /// <summary>h' of z and n = first + second, which the state has no part in.</summary>
    /// <param name="first">[≥ n + units] scaled sums: z from 0 on, n from <paramref name="n"/> on; so is <paramref name="second"/>, or null.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mix<TLanes, TVector>(float* first, float* second, nint n, float* old, float* h, nint units)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        for (nint unit = 0; unit < units; unit += TLanes.Width)
        {
            TVector z = TLanes.Load(first + unit), candidate = TLanes.Load(first + n + unit);
            if (second is not null)
            {
                z = TLanes.Add(z, TLanes.Load(second + unit));
                candidate = TLanes.Add(candidate, TLanes.Load(second + n + unit));
            }

            Combine<TLanes, TVector>(z, candidate, old + unit, h + unit);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Combine<TLanes, TVector>(TVector z, TVector n, float* old, float* h)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        var one = TLanes.Broadcast(1);
        var a = TLanes.Exp2(z);
        var b = TLanes.Exp2(n);
        var below = TLanes.Add(one, b);
        var above = TLanes.MultiplyAdd(a, TLanes.Subtract(one, b), TLanes.Multiply(TLanes.Load(old), below));
        var next = TLanes.Divide(above, TLanes.Multiply(TLanes.Add(one, a), below));
        // Rounding may pass 1 by a unit in the last place, and with z at 1 nothing would pull it back.
        TLanes.Store(TLanes.Max(TLanes.Min(next, one), TLanes.Broadcast(-1)), h);
    }

    /// <summary>Of a unit's r: groups of 16 r and 16 z follow each other.</summary>
    private static nint Place(nint unit) => (unit / 16 * 32) + (unit % 16);
}
