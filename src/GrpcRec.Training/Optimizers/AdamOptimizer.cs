using System.Runtime.Intrinsics;
using TorchSharp.Modules;

namespace GrpcRec.Training.Optimizers;

/// <summary>
/// Adam and AdamW as in PyTorch: m = β₁m + (1-β₁)g, v = β₂v + (1-β₂)g², w -= lr/(1-β₁ᵗ)·m / (√(v/(1-β₂ᵗ)) + ε). Decay: g += λw, or for
/// AdamW w *= 1 - lr·λ.
/// </summary>
internal sealed unsafe class AdamOptimizer(IEnumerable<(string Name, Parameter Parameter)> parameters, OptimizerPlan plan) : ParameterOptimizer(parameters, moments: 2, plan)
{
    private const double Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8;

    protected override void Update(float* weights, float* gradients, float* moments, nint stride, int count, double decay, double learningRate, long steps)
    {
        var second = moments + stride;
        var isApart = Plan.Kind == OptimizerKind.AdamW;
        var keep = (float)(isApart ? 1 - (learningRate * decay) : 1);
        var add = (float)(isApart ? 0 : decay);
        var size = (float)(learningRate / (1 - Math.Pow(Beta1, steps)));
        var root = (float)(1 / Math.Sqrt(1 - Math.Pow(Beta2, steps)));
        var i = 0;
        for (; i <= count - 16; i += 16)
        {
            var w = Vector512.Load(weights + i) * keep;
            var g = Vector512.FusedMultiplyAdd(w, Vector512.Create(add), Vector512.Load(gradients + i));
            var m = Vector512.FusedMultiplyAdd(Vector512.Create((float)(1 - Beta1)), g - Vector512.Load(moments + i), Vector512.Load(moments + i));
            var v = Vector512.FusedMultiplyAdd(Vector512.Create((float)(1 - Beta2)), (g * g) - Vector512.Load(second + i), Vector512.Load(second + i));
            m.Store(moments + i);
            v.Store(second + i);
            (w - (m * size / ((Vector512.Sqrt(v) * root) + Vector512.Create((float)Epsilon)))).Store(weights + i);
        }

        for (; i < count; i++)
        {
            var w = weights[i] * keep;
            var g = MathF.FusedMultiplyAdd(w, add, gradients[i]);
            moments[i] = MathF.FusedMultiplyAdd((float)(1 - Beta1), g - moments[i], moments[i]);
            second[i] = MathF.FusedMultiplyAdd((float)(1 - Beta2), (g * g) - second[i], second[i]);
            weights[i] = w - (moments[i] * size / ((MathF.Sqrt(second[i]) * root) + (float)Epsilon));
        }
    }
}
