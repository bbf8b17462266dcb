using System.Runtime.Intrinsics;

namespace GrpcRec.Training.Kernels;

/// <summary>Elman's: h' = tanh(sum), 64 units.</summary>
internal readonly unsafe struct RnnCell : IRecurrentCell
{
    public static int Sums => 1;

    public static int InputGate(int sum) => sum;

    public static int RecurrentGate(int sum) => sum;

    public static void Forward(float* sums, float* before, float* after, float* hidden)
    {
        for (var u = 0; u < BlockProduct.Columns; u += 16)
        {
            var h = Exponential.Tanh(Vector512.Load(sums + u));
            h.Store(after + u);
            h.Store(hidden + u);
        }
    }

    // The state goes on through the product alone, so the cell's gradient stays zero.
    public static void Backward(float* sums, float* before, float* after, float* hiddenGradient, float* cellGradient, float* sumGradient)
    {
        for (var u = 0; u < BlockProduct.Columns; u += 16)
        {
            var h = Vector512.Load(after + u);
            (Vector512.Load(hiddenGradient + u) * (Vector512<float>.One - (h * h))).Store(sumGradient + u);
        }
    }
}
