using System.Runtime.Intrinsics;
using GrpcRec.Training.Kernels;

namespace GrpcRec.Training.Losses;

/// <summary>What <see cref="FusedSoftmaxLoss"/> does to a row of logits.</summary>
internal static unsafe class SoftmaxKernel
{
    /// <summary>x = exp(x - max) over a row.</summary>
    /// <param name="x">[count], overwritten; at least -87 below the maximum is 0 to float32's smallest normal number.</param>
    /// <param name="count">A multiple of 64.</param>
    /// <returns>The maximum and Σ exp(x - max).</returns>
    public static (float Max, float Sum) Exponentials(float* x, int count)
    {
        var m0 = Vector512.Load(x);
        var m1 = Vector512.Load(x + 16);
        var m2 = Vector512.Load(x + 32);
        var m3 = Vector512.Load(x + 48);
        for (var j = 64; j < count; j += 64)
        {
            m0 = Vector512.Max(m0, Vector512.Load(x + j));
            m1 = Vector512.Max(m1, Vector512.Load(x + j + 16));
            m2 = Vector512.Max(m2, Vector512.Load(x + j + 32));
            m3 = Vector512.Max(m3, Vector512.Load(x + j + 48));
        }

        m0 = Vector512.Max(Vector512.Max(m0, m1), Vector512.Max(m2, m3));
        var max = float.NegativeInfinity;
        for (var lane = 0; lane < 16; lane++)
            max = MathF.Max(max, m0[lane]);
        var shift = Vector512.Create(max * Exponential.Log2E);
        Vector512<float> s0 = default, s1 = default;
        for (var j = 0; j < count; j += 32)
        {
            var e0 = Exponential.Exp2(Vector512.FusedMultiplyAdd(Vector512.Load(x + j), Vector512.Create(Exponential.Log2E), -shift));
            var e1 = Exponential.Exp2(Vector512.FusedMultiplyAdd(Vector512.Load(x + j + 16), Vector512.Create(Exponential.Log2E), -shift));
            e0.Store(x + j);
            e1.Store(x + j + 16);
            s0 += e0;
            s1 += e1;
        }

        return (max, Vector512.Sum(s0 + s1));
    }

    /// <summary>sum += x = x·scale.</summary>
    /// <param name="count">A multiple of 16.</param>
    public static void ScaleAndAdd(float* x, float scale, float* sum, int count)
    {
        var factor = Vector512.Create(scale);
        for (var j = 0; j < count; j += 16)
        {
            var p = Vector512.Load(x + j) * factor;
            p.Store(x + j);
            (Vector512.Load(sum + j) + p).Store(sum + j);
        }
    }
}
