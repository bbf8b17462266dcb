using System.Runtime.Intrinsics;

namespace GrpcRec.Training.Kernels;

/// <summary>
/// A GRU with the reset after the product, as cuDNN and PyTorch have it: n = tanh(x + r∘u), h' = (1 - z)∘n + z∘h. 16 units of r, z, x, u each:
/// x is the input's part of the candidate and u the state's, which the reset gate scales. So a quarter of each product is by zeros, which
/// costs less than blocks of another shape would.
/// </summary>
internal readonly unsafe struct GruCell : IRecurrentCell
{
    public static int Sums => 4;

    public static int InputGate(int sum) => sum < 3 ? sum : -1;

    public static int RecurrentGate(int sum) => sum < 2 ? sum : sum == 3 ? 2 : -1;

    public static void Forward(float* sums, float* before, float* after, float* hidden)
    {
        var r = Exponential.Sigmoid(Vector512.Load(sums));
        var z = Exponential.Sigmoid(Vector512.Load(sums + 16));
        var n = Exponential.Tanh(Vector512.FusedMultiplyAdd(r, Vector512.Load(sums + 48), Vector512.Load(sums + 32)));
        r.Store(sums);
        z.Store(sums + 16);
        n.Store(sums + 32);
        var h = Vector512.FusedMultiplyAdd(z, Vector512.Load(before) - n, n);
        h.Store(after);
        h.Store(hidden);
    }

    public static void Backward(float* sums, float* before, float* after, float* hiddenGradient, float* cellGradient, float* sumGradient)
    {
        var one = Vector512<float>.One;
        var dh = Vector512.Load(hiddenGradient) + Vector512.Load(cellGradient);
        Vector512<float> r = Vector512.Load(sums), z = Vector512.Load(sums + 16), n = Vector512.Load(sums + 32), u = Vector512.Load(sums + 48);
        var dx = dh * (one - z) * (one - (n * n));
        (dx * u * r * (one - r)).Store(sumGradient);
        (dh * (Vector512.Load(before) - n) * z * (one - z)).Store(sumGradient + 16);
        dx.Store(sumGradient + 32);
        (dx * r).Store(sumGradient + 48);
        (dh * z).Store(cellGradient);
    }
}
