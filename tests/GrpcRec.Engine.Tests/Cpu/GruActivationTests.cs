using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Tests.Cpu;

/// <summary>GRU and Elman cells against exact arithmetic of what the kernels were given: scaling rounds the sums themselves.</summary>
public sealed unsafe class GruActivationTests
{
    private const double Bound = 4e-7;
    private const double TanhBound = 2e-7;

    public static TheoryData<KernelPath, int> Sums
    {
        get
        {
            var cases = new TheoryData<KernelPath, int>();
            foreach (var path in KernelPaths.Every)
            {
                // r, z, the input's part of n, the recurrent part of n
                for (var sum = 0; sum < 4; sum++)
                    cases.Add(path, sum);
            }

            return cases;
        }
    }

    /// <summary>Every 4,999th float32 of the whole finite range on one sum while the others stand at ordinary values.</summary>
    [SkippableTheory]
    [MemberData(nameof(Sums))]
    public void ResetAndUpdate_DenseSweep_StaysWithinTheBound(KernelPath path, int sum)
    {
        var kernel = KernelPaths.Kernel(path);
        var worst = 0.0;
        foreach (var x in Sweep())
            worst = Math.Max(worst, AfterProduct(kernel, sum, x));
        Assert.InRange(worst, 1e-12, Bound);
    }

    [SkippableTheory]
    [MemberData(nameof(KernelPaths.All), MemberType = typeof(KernelPaths))]
    public void ResetThenUpdate_DenseSweep_StaysWithinTheBound(KernelPath path)
    {
        var kernel = KernelPaths.Kernel(path);
        var worst = 0.0;
        foreach (var x in Sweep())
        {
            worst = Math.Max(worst, BeforeProduct(kernel, x, -0.4f));
            worst = Math.Max(worst, BeforeProduct(kernel, -0.4f, x));
        }

        Assert.InRange(worst, 1e-12, Bound);
    }

    [SkippableTheory]
    [MemberData(nameof(KernelPaths.All), MemberType = typeof(KernelPaths))]
    public void Mix_DenseSweep_StaysWithinTheBound(KernelPath path)
    {
        var kernel = KernelPaths.Kernel(path);
        float* first = stackalloc float[32], second = stackalloc float[32], old = stackalloc float[16], h = stackalloc float[16];
        new Span<float>(old, 16).Fill(0.6f);
        var worst = 0.0;
        foreach (var x in Sweep())
        {
            foreach (var (z, n) in ((float, float)[])[(x, -0.4f), (-0.4f, x)])
            {
                new Span<float>(first, 16).Fill(z);
                new Span<float>(first + 16, 16).Fill(n);
                new Span<float>(second, 32).Clear();
                kernel.GruMix(first, second, 16, old, h, 16);
                var keep = Sigmoid(z);
                worst = Math.Max(worst, Worse(Math.Abs(((1 - keep) * Tanh(n)) + (keep * 0.6f) - h[7])));
            }
        }

        Assert.InRange(worst, 1e-12, Bound);
    }

    [SkippableTheory]
    [MemberData(nameof(KernelPaths.All), MemberType = typeof(KernelPaths))]
    public void Tanh_DenseSweep_StaysWithinTheBound(KernelPath path)
    {
        var kernel = KernelPaths.Kernel(path);
        var z = stackalloc float[16];
        var h = stackalloc float[16];
        var worst = 0.0;
        foreach (var x in Sweep())
        {
            new Span<float>(z, 16).Fill(x);
            kernel.Tanh(z, h, 16);
            worst = Math.Max(worst, Worse(Math.Abs(Tanh(x) - h[7])));
            Assert.InRange(h[7], -1f, 1f);
        }

        Assert.InRange(worst, 1e-12, TanhBound);
    }

    [SkippableTheory]
    [MemberData(nameof(KernelPaths.All), MemberType = typeof(KernelPaths))]
    public void Cells_ZeroSumsAndState_StayExactlyZero(KernelPath path)
    {
        // What a padding unit computes at every step.
        var kernel = KernelPaths.Kernel(path);
        var z = stackalloc float[32];
        var h = stackalloc float[16];
        new Span<float>(z, 32).Clear();
        new Span<float>(h, 16).Clear();
        kernel.GruResetAndUpdate(z, z, null, z, h, h, 16);
        Assert.Equal(0f, h[5]);
        kernel.GruReset(z, h, h, 16);
        kernel.GruUpdate(z, z, h, h, 16);
        Assert.Equal(0f, h[5]);
        kernel.Tanh(z, h, 16);
        Assert.Equal(0f, h[5]);
    }

    [SkippableTheory]
    [MemberData(nameof(KernelPaths.All), MemberType = typeof(KernelPaths))]
    public void GruUpdate_StateAtOne_NeverPassesOne(KernelPath path)
    {
        var kernel = KernelPaths.Kernel(path);
        var rz = stackalloc float[32];
        var n = stackalloc float[16];
        var h = stackalloc float[16];
        var random = new Random(3);
        for (var round = 0; round < 20_000; round++)
        {
            for (var k = 0; k < 16; k++)
            {
                rz[16 + k] = (float)((random.NextDouble() * 60) - 30);
                n[k] = -(float)(random.NextDouble() * 40);
                h[k] = round % 2 == 0 ? 1 : -1;
            }

            kernel.GruUpdate(rz, n, h, h, 16);
            for (var k = 0; k < 16; k++)
                Assert.InRange(h[k], -1f, 1f);
        }
    }

    private static IEnumerable<float> Sweep()
    {
        for (long bits = 0; bits <= uint.MaxValue; bits += 4999)
        {
            var x = BitConverter.UInt32BitsToSingle((uint)bits);
            // Two sums are added here: their sum must be finite too.
            if (MathF.Abs(x) < float.MaxValue / 2)
                yield return x;
        }

        for (var x = -20f; x <= 20f; x += 0.00037f)
            yield return x;
    }

    private static double AfterProduct(BlockKernel kernel, int sum, float x)
    {
        float[] sums = [-0.7f, 0.6f, 0.9f, -1.3f];
        sums[sum] = x;
        float* rz = stackalloc float[32], n = stackalloc float[16], u = stackalloc float[16], h = stackalloc float[16];
        new Span<float>(rz, 16).Fill(sums[0]);
        new Span<float>(rz + 16, 16).Fill(sums[1]);
        new Span<float>(n, 16).Fill(sums[2]);
        new Span<float>(u, 16).Fill(sums[3]);
        new Span<float>(h, 16).Fill(0.37f);
        kernel.GruResetAndUpdate(rz, n, null, u, h, h, 16);
        var candidate = Tanh(sums[2] + (Sigmoid(sums[0]) * sums[3]));
        var exact = ((1 - Sigmoid(sums[1])) * candidate) + (Sigmoid(sums[1]) * 0.37f);
        return Worse(Math.Abs(exact - h[7]));
    }

    private static double BeforeProduct(BlockKernel kernel, float gate, float n)
    {
        float* rz = stackalloc float[32], sums = stackalloc float[16], h = stackalloc float[16], reset = stackalloc float[16];
        new Span<float>(rz, 32).Fill(gate);
        new Span<float>(sums, 16).Fill(n);
        new Span<float>(h, 16).Fill(-0.73f);
        kernel.GruReset(rz, h, reset, 16);
        kernel.GruUpdate(rz, sums, h, h, 16);
        var exact = ((1 - Sigmoid(gate)) * Tanh(n)) + (Sigmoid(gate) * -0.73f);
        return Worse(Math.Max(Math.Abs((Sigmoid(gate) * -0.73f) - reset[7]), Math.Abs(exact - h[7])));
    }

    private static double Worse(double error) => double.IsNaN(error) ? double.PositiveInfinity : error;

    private static double Sigmoid(float scaled) => 1 / (1 + Math.Pow(2, scaled));

    private static double Tanh(double scaled) => Math.Tanh(scaled * Math.Log(2) / -2);
}
