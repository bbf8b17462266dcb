using System.Numerics.Tensors;
using TorchSharp.Modules;

namespace GrpcRec.Training.Optimizers;

/// <summary>Descent with momentum as in PyTorch's SGD: b = µb + g (the first g as it is), w -= lr·b; decay adds λw to g.</summary>
internal sealed unsafe class MomentumOptimizer(IEnumerable<(string Name, Parameter Parameter)> parameters, OptimizerPlan plan) : ParameterOptimizer(parameters, moments: 1, plan)
{
    protected override void Update(float* weights, float* gradients, float* moments, nint stride, int count, double decay, double learningRate, long steps)
    {
        Span<float> w = new(weights, count), b = new(moments, count);
        TensorPrimitives.MultiplyAdd(b, (float)Plan.Momentum, new ReadOnlySpan<float>(gradients, count), b);
        if (decay > 0)
            TensorPrimitives.MultiplyAdd(w, (float)decay, b, b);
        TensorPrimitives.MultiplyAdd(b, (float)-learningRate, w, w);
    }
}
