using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

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

    // 2^40 saturates σ and tanh to within 1e-12, and the product of three such numbers stays below float32's 2^128.
    private const float MaxExponent = 40;

    // Below it 2^z would be no normal number, and 1 + 2^z is 1 long before.
    private const float MinExponent = -126;

    // 1.5·2^23: added to a small number it leaves the nearest integer in the low bits of the sum.
    private const float RoundingShift = 12582912f;

    /// <summary>Factor for the weights and bias of a gate (0…3: i, f, g, o).</summary>
    public static float Scale(int gate) => gate == 2 ? -2 * Log2E : -Log2E;

    /// <summary>c' = σ(f)·c + σ(i)·tanh(g), h' = σ(o)·tanh(c').</summary>
    /// <param name="z">[64] scaled sums: 16 of i, f, g, o each.</param>
    /// <param name="c">[16] cell, overwritten.</param>
    /// <param name="h">[16] hidden state, written.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Apply(float* z, float* c, float* h)
    {
        var one = Vector512<float>.One;
        var i = Exp2(Vector512.Load(z)) + one;
        var f = Exp2(Vector512.Load(z + 16)) + one;
        var g = Exp2(Vector512.Load(z + 32));
        var o = Exp2(Vector512.Load(z + 48)) + one;

        // c/f + (1 - g)/(i·(1 + g)) over one denominator.
        var ig = i * (g + one);
        var cell = Vector512.FusedMultiplyAdd(Vector512.Load(c), ig, (one - g) * f) / (ig * f);
        cell.Store(c);
        var e = Exp2(cell * Vector512.Create(-2 * Log2E));
        ((one - e) / ((one + e) * o)).Store(h);
    }

    /// <summary>
    /// 2^z: z = n + f with f in [-½, ½]; 2^f by a polynomial that interpolates it at Chebyshev nodes (relative error 1e-8 before
    /// rounding, exact at 0, so that padding units stay 0); n goes into the exponent bits.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Exp2(Vector512<float> z)
    {
        z = Vector512.MinNative(Vector512.MaxNative(z, Vector512.Create(MinExponent)), Vector512.Create(MaxExponent));
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
}
