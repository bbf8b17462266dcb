using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Tests.Cpu;

public sealed unsafe class SoftmaxTests
{
    private const double Bound = 4e-7;

    [SkippableTheory]
    [MemberData(nameof(KernelPaths.All), MemberType = typeof(KernelPaths))]
    public void Apply_SumsOfAnySize_StaysWithinTheBound(KernelPath path)
    {
        var kernel = KernelPaths.Kernel(path);
        var random = new Random(1);
        var worst = 0.0;
        var z = stackalloc float[128];
        for (var round = 0; round < 5000; round++)
        {
            var count = 16 * random.Next(1, 9);
            // From all alike to one that takes all, up to what huge weights give.
            var size = Math.Pow(10, (random.NextDouble() * 36) - 8);
            for (var k = 0; k < count; k++)
                z[k] = (float)((random.NextDouble() - 0.5) * size);
            double[] sums = [.. new Span<float>(z, count).ToArray().Select(value => (double)value)];
            kernel.Softmax(z, count);
            var largest = sums.Max();
            var total = sums.Sum(sum => Math.Pow(2, sum - largest));
            for (var k = 0; k < count; k++)
            {
                var error = Math.Abs((Math.Pow(2, sums[k] - largest) / total) - z[k]);
                worst = Math.Max(worst, double.IsNaN(error) ? double.PositiveInfinity : error);
            }
        }

        Assert.InRange(worst, 1e-12, Bound);
    }

    [SkippableTheory]
    [MemberData(nameof(KernelPaths.All), MemberType = typeof(KernelPaths))]
    public void Apply_ColumnsThatPad_TakeNoShare(KernelPath path)
    {
        var kernel = KernelPaths.Kernel(path);
        var z = stackalloc float[16];
        new Span<float>(z, 16).Fill(GrpcRec.Engine.Cpu.Trunks.MixtureWeights.Never);
        z[0] = -4e18f;
        kernel.Softmax(z, 16);
        Assert.Equal(1f, z[0]);
        for (var k = 1; k < 16; k++)
            Assert.InRange(z[k], 0f, 1e-30f);
    }
}
