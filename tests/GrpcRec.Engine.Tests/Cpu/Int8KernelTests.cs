using CsCheck;
using GrpcRec.Engine.Cpu;

namespace GrpcRec.Engine.Tests.Cpu;

public sealed unsafe class Int8KernelTests
{
    public static TheoryData<int, bool> Paths
    {
        get
        {
            var data = new TheoryData<int, bool>();
            foreach (var path in Enum.GetValues<Int8Path>().Where(Int8Paths.IsSupported))
            {
                data.Add((int)path, true);
                data.Add((int)path, false);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Multiply_AnyBytes_EqualsPlainLoops(int path, bool signedWeights)
    {
        var cases =
            from rows in Gen.Int[1, Int8Kernel.MaxRows]
            from groups in Gen.Int[1, 40]
            from gap in Gen.Int[0, 9]
            from extremes in Gen.Int[0, 2]
            from seed in Gen.Int[0, 1_000_000]
            select (rows, groups, gap, extremes, seed);
        cases.Sample(
            c =>
            {
                var random = new Random(c.seed);
                var stride = (4 * c.groups) + c.gap;
                byte Next() => (byte)(c.extremes == 0 || random.Next(c.extremes + 1) == 0 ? random.Next(256) : random.Next(2) == 0 ? 255 : 128);
                var w = Enumerable.Range(0, c.groups * Int8Kernel.GroupBytes).Select(_ => Next()).ToArray();
                var x = Enumerable.Range(0, c.rows * stride).Select(_ => Next()).ToArray();
                AssertExact((Int8Path)path, signedWeights, c.rows, c.groups, stride, w, x);
            },
            iter: 150);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Multiply_LargestSums_DoNotSaturate(int path, bool signedWeights)
    {
        const int groups = 512;
        foreach (var (signed, unsigned) in new[] { ((byte)128, (byte)255), ((byte)127, (byte)255), ((byte)129, (byte)255) })
        {
            var w = new byte[groups * Int8Kernel.GroupBytes];
            var x = new byte[Int8Kernel.MaxRows * 4 * groups];
            w.AsSpan().Fill(signedWeights ? signed : unsigned);
            x.AsSpan().Fill(signedWeights ? unsigned : signed);
            AssertExact((Int8Path)path, signedWeights, Int8Kernel.MaxRows, groups, 4 * groups, w, x);
        }
    }

    [Fact]
    public void FromRows_AnyWeights_ProductIsWithinTheRounding()
    {
        var random = new Random(3);
        var z = stackalloc int[Int8Kernel.Columns];
        foreach (var (rows, depth) in new[] { (1, 1), (3, 7), (64, 4), (65, 33), (130, 128) })
        {
            var source = Enumerable.Range(0, rows * depth).Select(_ => (random.NextSingle() * 4) - 2).ToArray();
            source.AsSpan(0, depth).Clear();
            using var matrix = Int8Matrix.FromRows(rows, source);
            var x = new byte[4 * matrix.Groups];
            random.NextBytes(x);
            fixed (byte* input = x)
            {
                for (var row = 0; row < rows; row++)
                {
                    Int8Kernel.Multiply<SignedWeights>(Int8Paths.Resolve(default), 1, matrix.Block(row / 64), matrix.Groups, input, 0, z);
                    double exact = 0, slack = 0;
                    for (var k = 0; k < depth; k++)
                    {
                        var value = x[k] - Int8Matrix.ZeroPoint;
                        exact += (double)value * source[(row * depth) + k];
                        slack += Math.Abs(value) * 0.5001 * matrix.Scale[row];
                    }

                    Assert.InRange((z[row % 64] + matrix.Compensation[row]) * (double)matrix.Scale[row], exact - slack, exact + slack);
                }
            }
        }
    }

    private static void AssertExact(Int8Path path, bool signedWeights, int rows, int groups, int stride, byte[] w, byte[] x)
    {
        var z = new int[rows * Int8Kernel.Columns];
        fixed (byte* weights = w, inputs = x)
        fixed (int* sums = z)
        {
            if (signedWeights)
                Int8Kernel.Multiply<SignedWeights>(path, rows, weights, groups, inputs, stride, sums);
            else
                Int8Kernel.Multiply<SignedInputs>(path, rows, weights, groups, inputs, stride, sums);
        }

        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < Int8Kernel.Columns; column++)
            {
                var sum = 0;
                for (var k = 0; k < 4 * groups; k++)
                {
                    int weight = w[(k / 4 * Int8Kernel.GroupBytes) + (4 * column) + (k % 4)], input = x[(row * stride) + k];
                    sum += (signedWeights ? (sbyte)weight : weight) * (signedWeights ? input : (sbyte)input);
                }

                Assert.Equal(sum, z[(row * Int8Kernel.Columns) + column]);
            }
        }
    }
}
