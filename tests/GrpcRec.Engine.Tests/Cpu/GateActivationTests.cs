using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Tests.Cpu;

public sealed unsafe class GateActivationTests
{
    private const double Bound = 4e-7;

    public static TheoryData<KernelPath, int> Gates
    {
        get
        {
            var cases = new TheoryData<KernelPath, int>();
            foreach (var path in KernelPaths.Every)
            {
                for (var gate = 0; gate < 4; gate++)
                    cases.Add(path, gate);
            }

            return cases;
        }
    }

    /// <summary>Every 4,999th float32 of the whole finite range on one gate while the others stand at ordinary values.</summary>
    [SkippableTheory]
    [MemberData(nameof(Gates))]
    public void Apply_DenseSweep_StaysWithinTheBound(KernelPath path, int gate)
    {
        var kernel = KernelPaths.Kernel(path);
        var worst = 0.0;
        for (long bits = 0; bits <= uint.MaxValue; bits += 4999)
        {
            var x = BitConverter.UInt32BitsToSingle((uint)bits);
            if (float.IsFinite(x))
                worst = Math.Max(worst, Error(kernel, gate, x));
        }

        for (var x = -20f; x <= 20f; x += 0.00037f)
            worst = Math.Max(worst, Error(kernel, gate, x));
        Assert.InRange(worst, 0, Bound);
    }

    [SkippableTheory]
    [MemberData(nameof(KernelPaths.All), MemberType = typeof(KernelPaths))]
    public void Apply_ZeroSumsAndCell_StaysExactlyZero(KernelPath path)
    {
        // What a padding unit computes at every step.
        var z = stackalloc float[64];
        var c = stackalloc float[16];
        var h = stackalloc float[16];
        new Span<float>(z, 64).Clear();
        new Span<float>(c, 16).Clear();
        KernelPaths.Kernel(path).Lstm(z, c, h);
        Assert.Equal(0f, c[5]);
        Assert.Equal(0f, h[5]);
    }

    /// <summary>Scaling by log₂e rounds the sum itself, so the exact answer is taken of what the kernel was given.</summary>
    private static double Error(BlockKernel kernel, int gate, float scaled)
    {
        var z = stackalloc float[64];
        var c = stackalloc float[16];
        var h = stackalloc float[16];
        float[] sums = [-0.7f, -1.1f, 0.9f, -2.3f];
        sums[gate] = scaled;
        for (var q = 0; q < 4; q++)
            new Span<float>(z + (q * 16), 16).Fill(sums[q]);
        new Span<float>(c, 16).Fill(0.37f);
        kernel.Lstm(z, c, h);

        double i = Sigmoid(sums[0]), f = Sigmoid(sums[1]), o = Sigmoid(sums[3]), g = Tanh(sums[2]);
        var cell = (f * 0.37f) + (i * g);
        var error = Math.Max(Math.Abs(cell - c[7]), Math.Abs((o * Math.Tanh(cell)) - h[7]));
        return double.IsNaN(error) ? double.PositiveInfinity : error;
    }

    private static double Sigmoid(float scaled) => 1 / (1 + Math.Pow(2, scaled));

    private static double Tanh(float scaled) => Math.Tanh(scaled * Math.Log(2) / -2);
}
