using System.Runtime.Intrinsics;

namespace GrpcRec.Training.Kernels;

/// <summary>16 units of i, f, g, o each. Equations as in PyTorch's nn.LSTM: c' = f∘c + i∘g, h' = o∘tanh(c').</summary>
internal readonly unsafe struct LstmCell : IRecurrentCell
{
    public static int Sums => 4;

    public static int InputGate(int sum) => sum;

    public static int RecurrentGate(int sum) => sum;

    public static void Forward(float* sums, float* before, float* after, float* hidden)
    {
        var i = Exponential.Sigmoid(Vector512.Load(sums));
        var f = Exponential.Sigmoid(Vector512.Load(sums + 16));
        var g = Exponential.Tanh(Vector512.Load(sums + 32));
        var o = Exponential.Sigmoid(Vector512.Load(sums + 48));
        i.Store(sums);
        f.Store(sums + 16);
        g.Store(sums + 32);
        o.Store(sums + 48);
        var c = Vector512.FusedMultiplyAdd(f, Vector512.Load(before), i * g);
        c.Store(after);
        (o * Exponential.Tanh(c)).Store(hidden);
    }

    public static void Backward(float* sums, float* before, float* after, float* hiddenGradient, float* cellGradient, float* sumGradient)
    {
        var one = Vector512<float>.One;
        var dh = Vector512.Load(hiddenGradient);
        Vector512<float> i = Vector512.Load(sums), f = Vector512.Load(sums + 16), g = Vector512.Load(sums + 32), o = Vector512.Load(sums + 48);
        var t = Exponential.Tanh(Vector512.Load(after));
        var dc = Vector512.FusedMultiplyAdd(dh * o, one - (t * t), Vector512.Load(cellGradient));
        (dc * g * i * (one - i)).Store(sumGradient);
        (dc * Vector512.Load(before) * f * (one - f)).Store(sumGradient + 16);
        (dc * i * (one - (g * g))).Store(sumGradient + 32);
        (dh * t * o * (one - o)).Store(sumGradient + 48);
        (dc * f).Store(cellGradient);
    }
}
