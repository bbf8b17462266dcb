using System.Runtime.Intrinsics;

namespace GrpcRec.Training.Kernels;

/// <summary>
/// An LSTM's pointwise part, forward and backward, on 16 units at once. A block is 64 floats: 16 of i, f, g, o each.
/// Equations as in PyTorch's nn.LSTM: c' = f∘c + i∘g, h' = o∘tanh(c').
/// </summary>
internal static unsafe class LstmCell
{
    /// <param name="gates">[64] sums, overwritten with σ(i), σ(f), tanh(g), σ(o).</param>
    /// <param name="before">[16] c.</param>
    /// <param name="after">[16] c', written.</param>
    /// <param name="hidden">[16] h', written.</param>
    public static void Forward(float* gates, float* before, float* after, float* hidden)
    {
        var i = Exponential.Sigmoid(Vector512.Load(gates));
        var f = Exponential.Sigmoid(Vector512.Load(gates + 16));
        var g = Exponential.Tanh(Vector512.Load(gates + 32));
        var o = Exponential.Sigmoid(Vector512.Load(gates + 48));
        i.Store(gates);
        f.Store(gates + 16);
        g.Store(gates + 32);
        o.Store(gates + 48);
        var c = Vector512.FusedMultiplyAdd(f, Vector512.Load(before), i * g);
        c.Store(after);
        (o * Exponential.Tanh(c)).Store(hidden);
    }

    /// <param name="gates">[64] activated gates of the step.</param>
    /// <param name="before">[16] c before the step.</param>
    /// <param name="after">[16] c' after it.</param>
    /// <param name="hiddenGradient">[16] dL/dh', all of it.</param>
    /// <param name="cellGradient">[16] dL/dc' that comes from later steps; overwritten with dL/dc.</param>
    /// <param name="sumGradient">[64] dL/d(sums), written.</param>
    public static void Backward(float* gates, float* before, float* after, Vector512<float> hiddenGradient, float* cellGradient, float* sumGradient)
    {
        var one = Vector512<float>.One;
        Vector512<float> i = Vector512.Load(gates), f = Vector512.Load(gates + 16), g = Vector512.Load(gates + 32), o = Vector512.Load(gates + 48);
        var t = Exponential.Tanh(Vector512.Load(after));
        var dc = Vector512.FusedMultiplyAdd(hiddenGradient * o, one - (t * t), Vector512.Load(cellGradient));
        (dc * g * i * (one - i)).Store(sumGradient);
        (dc * Vector512.Load(before) * f * (one - f)).Store(sumGradient + 16);
        (dc * i * (one - (g * g))).Store(sumGradient + 32);
        (hiddenGradient * t * o * (one - o)).Store(sumGradient + 48);
        (dc * f).Store(cellGradient);
    }
}
