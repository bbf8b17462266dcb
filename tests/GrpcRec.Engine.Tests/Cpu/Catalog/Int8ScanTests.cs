using CsCheck;
using GrpcRec.Engine.Cpu.Catalog;
using GrpcRec.Engine.Steps;
using Items = GrpcRec.Engine.Tests.Cpu.Catalog.CatalogItems.Kind;
using static GrpcRec.Engine.Tests.Cpu.Catalog.CatalogItems;

namespace GrpcRec.Engine.Tests.Cpu.Catalog;

public sealed class Int8ScanTests
{
    [Theory]
    [InlineData(KernelPath.Auto)]
    [InlineData(KernelPath.Avx2)]
    [InlineData(KernelPath.Portable)]
    public void Run_AnyCatalogue_IsBitEqualToFloat32(KernelPath path)
    {
        KernelPaths.Kernel(path);
        var cases =
            from items in Gen.Enum<Items>()
            from count in Gen.Int[1, 700]
            from depth in Gen.Int[1, 70]
            from queries in Gen.Int[1, 14]
            from k in Gen.Int[1, 40]
            from excluded in Gen.Int[0, 3]
            from seed in Gen.Int[0, 1_000_000]
            select (items, count, depth, queries, k, excluded, seed);
        cases.Sample(
            c =>
            {
                var random = new Random(c.seed);
                var (rows, bias) = Make(c.items, c.count, c.depth, random);
                var queries = Enumerable.Range(0, c.queries).Select(_ => Query(c.items, rows, c.depth, random)).ToArray();
                int[] excluded = [.. Enumerable.Range(0, c.count).Where(_ => random.Next(4) < c.excluded)];
                using var run = new ScanRun(rows, bias, path);
                var k = Math.Min(c.k, c.count);
                AssertEqual(run.Run(ScanKind.Float32, queries, k, excluded), run.Run(ScanKind.Int8, queries, k, excluded));
            },
            iter: path == KernelPath.Auto ? 300 : 100);
    }

    /// <summary>Whoever takes which part, the answer is that of one thread: ids, order among ties, and bits.</summary>
    [Fact]
    public void Run_SplitOverThreads_IsBitEqualToOneThread()
    {
        var helped = 0;
        var cases =
            from items in Gen.Enum<Items>()
            from count in Gen.Int[1_025, 4_000]
            from depth in Gen.Int[1, 40]
            from queries in Gen.OneOf(Gen.Int[1, 3], Gen.Int[4, CatalogScan.MaxQueries])
            from k in Gen.OneOf(Gen.Int[1, 40], Gen.Int[500, 1_024])
            from excluded in Gen.Int[0, 3]
            from seed in Gen.Int[0, 1_000_000]
            select (items, count, depth, queries, k, excluded, seed);
        cases.Sample(
            c =>
            {
                var random = new Random(c.seed);
                var (rows, bias) = Make(c.items, c.count, c.depth, random);
                var queries = Enumerable.Range(0, c.queries).Select(_ => Query(c.items, rows, c.depth, random)).ToArray();
                int[] excluded = [.. Enumerable.Range(0, c.count).Where(_ => random.Next(4) < c.excluded)];
                using var run = new ScanRun(rows, bias, KernelPath.Auto);
                foreach (var kind in new[] { ScanKind.Float32, ScanKind.Int8 })
                {
                    using var helpers = new RandomHelpers(random.Next());
                    var split = run.Run(kind, queries, c.k, excluded, helpers, partProducts: 1);
                    AssertEqual(run.Run(kind, queries, c.k, excluded), split);
                    Interlocked.Add(ref helped, helpers.Helped);
                }
            },
            iter: 150);
        Assert.True(helped > 1_000, $"helpers took {helped} parts: nothing was split");
    }

    [Fact]
    public void Run_LargeCatalogue_LeavesFewCandidatesAndIsBitEqualToFloat32()
    {
        const int count = 30_000, depth = 64, k = 50;
        var random = new Random(5);
        var (rows, bias) = Make(Items.Gaussian, count, depth, random);
        var queries = Enumerable.Range(0, 20).Select(_ => Query(Items.Gaussian, rows, depth, random)).ToArray();
        using var run = new ScanRun(rows, bias, KernelPath.Auto);
        AssertEqual(run.Run(ScanKind.Float32, queries, k, [3, 5, 29_999]), run.Run(ScanKind.Int8, queries, k, [3, 5, 29_999]));
        Assert.InRange(run.Candidates, queries.Length * k, queries.Length * k * 6);
    }

    /// <summary>More candidates than are held at once: they are scored on the way.</summary>
    [Fact]
    public void Run_EverythingIsACandidate_IsBitEqualToFloat32()
    {
        const int count = 20_000, depth = 8;
        var random = new Random(6);
        var (rows, bias) = Make(Items.AllEqual, count, depth, random);
        for (var item = 0; item < count; item += 3)
            bias[item] += (random.Next(5) - 2) * 1e-7f;
        var queries = Enumerable.Range(0, 3).Select(_ => Query(Items.AllEqual, rows, depth, random)).ToArray();
        using var run = new ScanRun(rows, bias, KernelPath.Auto);
        foreach (var k in new[] { 1, 100, Int8Query.MaxK })
            AssertEqual(run.Run(ScanKind.Float32, queries, k, []), run.Run(ScanKind.Int8, queries, k, []));
    }

    /// <summary>Bounds of half their width lose an item that is the best: comparisons as above would see it.</summary>
    [Fact]
    public void Run_BoundsTooNarrow_LosesTheBest()
    {
        var (rows, bias, query, best) = Adversarial(new Random(7));
        using var narrow = new ScanRun(rows, bias, KernelPath.Auto, margin: 0.5);
        using var right = new ScanRun(rows, bias, KernelPath.Auto);
        Assert.Equal(best, right.Run(ScanKind.Float32, [query], 1, [])[0][0].Item);
        Assert.Equal(best, right.Run(ScanKind.Int8, [query], 1, [])[0][0].Item);
        Assert.NotEqual(best, narrow.Run(ScanKind.Int8, [query], 1, [])[0][0].Item);
    }

    /// <summary>
    /// All score 0 but one that scores 1. What rounding takes from that one points along the query, so that its bytes are far too low and
    /// nearly all of the bound is needed. It stands in the third block: those before it have set the threshold.
    /// </summary>
    private static (float[] Rows, float[] Bias, float[] Query, int Best) Adversarial(Random random)
    {
        const int count = 192, depth = 32, best = 150;
        var rows = new float[count * depth];
        var bias = new float[count];
        var query = Enumerable.Range(0, depth).Select(k => k == 0 ? 0.1f : random.Next(2) == 0 ? 1f : -1f).ToArray();
        for (var item = 0; item < count; item++)
        {
            // The first dimension makes a code worth 1.
            rows[item * depth] = 127;
            var score = 12.7;
            for (var k = 1; k < depth; k++)
            {
                rows[(item * depth) + k] = random.Next(-60, 60) + (query[k] * (item == best ? 0.49f : -0.49f));
                score += (double)rows[(item * depth) + k] * query[k];
            }

            bias[item] = (float)((item == best ? 1 : 0) - score);
        }

        return (rows, bias, query, best);
    }
}
