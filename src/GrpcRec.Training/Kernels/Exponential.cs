using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GrpcRec.Training.Kernels;

/// <summary>The exponential function and what is made of it, 16 numbers at once.</summary>
internal static class Exponential
{
    public const float Log2E = 1.44269504f;

    // 1.5·2^23: added to a small number it leaves the nearest integer in the low bits of the sum.
    private const float RoundingShift = 12582912f;

    // Past it σ and tanh are 1 to float32, and no intermediate overflows.
    private const float MaxExponent = 40;

    /// <summary>2^z for z ≤ 127: a degree-6 polynomial on [-½, ½], relative error below 2e-7; 2^-126 and less are held there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp2(Vector512<float> z)
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

    /// <summary>1 / (1 + e^-x), absolute error below 2e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sigmoid(Vector512<float> x) =>
        Vector512<float>.One / (Vector512<float>.One + Exp2(Vector512.MinNative(x * Vector512.Create(-Log2E), Vector512.Create(MaxExponent))));

    /// <summary>(1 - e^-2x) / (1 + e^-2x), absolute error below 2e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Tanh(Vector512<float> x)
    {
        var e = Exp2(Vector512.MinNative(x * Vector512.Create(-2 * Log2E), Vector512.Create(MaxExponent)));
        return (Vector512<float>.One - e) / (Vector512<float>.One + e);
    }
}
