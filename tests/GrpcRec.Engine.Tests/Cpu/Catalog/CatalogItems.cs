using GrpcRec.Engine.Ranking;

namespace GrpcRec.Engine.Tests.Cpu.Catalog;

/// <summary>Catalogues and queries of every awkward kind, and what two scans of them must agree in.</summary>
internal static class CatalogItems
{
    public enum Kind
    {
        Gaussian,

        /// <summary>A few centres and noise about them.</summary>
        Clustered,

        /// <summary>A few rows again and again, off by parts in a million.</summary>
        NearDuplicates,
        AllEqual,

        /// <summary>Norms from 1e-6 to 1e6.</summary>
        MixedNorms,

        /// <summary>Norms at which squares leave float32.</summary>
        Huge,

        /// <summary>Down to subnormal numbers and zeros.</summary>
        Tiny,

        /// <summary>One dimension a thousand times the others: bytes see little else.</summary>
        Spiked,

        /// <summary>Biases far above the products.</summary>
        Biased,
    }

    public static (float[] Rows, float[] Bias) Make(Kind items, int count, int depth, Random random)
    {
        var rows = new float[count * depth];
        var bias = new float[count];
        var centres = Enumerable.Range(0, 5 * depth).Select(_ => Gaussian(random)).ToArray();
        for (var item = 0; item < count; item++)
        {
            var centre = centres.AsSpan(random.Next(5) * depth, depth);
            var norm = MathF.Pow(10, (random.NextSingle() * 12) - 6);
            for (var k = 0; k < depth; k++)
            {
                var g = Gaussian(random);
                rows[(item * depth) + k] = items switch
                {
                    Kind.Clustered => centre[k] + (0.05f * g),
                    Kind.NearDuplicates => centre[k] * (1 + (1e-6f * g)),
                    Kind.AllEqual => centres[k],
                    Kind.MixedNorms => g * norm,
                    Kind.Huge => g * 1e20f,
                    Kind.Tiny => random.Next(3) == 0 ? 0 : g * MathF.Pow(10, -25 - (random.NextSingle() * 20)),
                    Kind.Spiked => k == 0 ? 1000 * g : g,
                    _ => g,
                };
            }

            bias[item] = items switch
            {
                Kind.AllEqual => 0.25f,
                Kind.Tiny => random.Next(2) == 0 ? 0 : 1e-30f * Gaussian(random),
                Kind.Biased => 1e5f * Gaussian(random),
                _ => 0.5f * Gaussian(random),
            };
        }

        return (rows, bias);
    }

    public static float[] Query(Kind items, float[] rows, int depth, Random random)
    {
        var like = random.Next(rows.Length / depth) * depth;
        return [.. Enumerable.Range(0, depth).Select(k => random.Next(20) == 0 ? 0 : items == Kind.Clustered ? rows[like + k] : Gaussian(random))];
    }

    public static void AssertEqual(RankedItem[][] expected, RankedItem[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var n = 0; n < expected.Length; n++)
        {
            Assert.Equal(expected[n].Select(item => item.Item), actual[n].Select(item => item.Item));
            Assert.Equal(expected[n].Select(item => BitConverter.SingleToInt32Bits(item.Score)), actual[n].Select(item => BitConverter.SingleToInt32Bits(item.Score)));
        }
    }

    public static float Gaussian(Random random) =>
        (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
}
