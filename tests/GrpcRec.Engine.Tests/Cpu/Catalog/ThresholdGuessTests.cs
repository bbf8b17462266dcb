using CsCheck;
using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Cpu.Catalog;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using static GrpcRec.Engine.Tests.Cpu.Catalog.CatalogItems;

namespace GrpcRec.Engine.Tests.Cpu.Catalog;

public sealed class ThresholdGuessTests
{
    /// <summary>Catalogues that are large enough for a guess: whole, with exclusions and filters, alone and over threads.</summary>
    [Fact]
    public void Run_ManyBlocks_IsBitEqualToFloat32()
    {
        var cases =
            from items in Gen.Enum<Kind>()
            from count in Gen.Int[16_384, 40_000]
            from depth in Gen.Int[1, 12]
            from queries in Gen.Int[1, 9]
            from k in Gen.Int[1, 40]
            from excluded in Gen.Int[0, 2]
            from isFiltered in Gen.Bool
            from isShared in Gen.Bool
            from seed in Gen.Int[0, 1_000_000]
            select (items, count, depth, queries, k, excluded, isFiltered, isShared, seed);
        cases.Sample(
            c =>
            {
                var random = new Random(c.seed);
                var (rows, bias) = Make(c.items, c.count, c.depth, random);
                var queries = Enumerable.Range(0, c.queries).Select(_ => Query(c.items, rows, c.depth, random)).ToArray();
                int[] excluded = [.. Enumerable.Range(0, c.count).Where(_ => random.Next(4) < c.excluded)];
                var share = random.NextDouble();
                var filter = c.isFiltered ? new RankFilter { AllowedItems = [.. Enumerable.Range(0, c.count).Where(_ => random.NextDouble() < share)] } : null;
                using var run = new ScanRun(rows, bias, KernelPath.Auto);
                using var helpers = new RandomHelpers(c.seed);
                AssertEqual(
                    run.Run(ScanKind.Float32, queries, c.k, excluded, filter: filter),
                    run.Run(ScanKind.Int8, queries, c.k, excluded, c.isShared ? helpers : null, partProducts: 1, filter));
            },
            iter: 60);
    }

    /// <summary>
    /// The sample is all that is good: one item of each of its blocks, fewer than k. The others are then below the guess, and only a second
    /// scan finds the rest of the best k.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Run_SampleIsBetterThanTheRest_IsBitEqualToFloat32(bool isShared)
    {
        const int blocks = 1_024, samples = blocks / 16, depth = 4, k = 100;
        var random = new Random(8);
        var (rows, bias) = Make(Kind.Gaussian, blocks * BlockKernel.Columns, depth, random);
        for (var sample = 0; sample < samples; sample++)
            bias[(sample * 16 * BlockKernel.Columns) + random.Next(BlockKernel.Columns)] += 1000;
        var queries = Enumerable.Range(0, 3).Select(_ => Query(Kind.Gaussian, rows, depth, random)).ToArray();
        Assert.InRange(ThresholdGuess.Rank(k, samples, blocks), 1, samples);
        using var run = new ScanRun(rows, bias, KernelPath.Auto);
        using var helpers = new RandomHelpers(9);
        AssertEqual(run.Run(ScanKind.Float32, queries, k, [5, 99]), run.Run(ScanKind.Int8, queries, k, [5, 99], isShared ? helpers : null, partProducts: 1));
    }

    [Theory]
    [InlineData(100, 97, 1_563, 15)]
    [InlineData(100, 256, 15_625, 7)]
    [InlineData(1, 256, 15_625, 3)]

    // Nothing to go by: hardly a sample, or results in more of its blocks than half.
    [InlineData(1, 15, 1_000, 0)]
    [InlineData(1, 0, 0, 0)]
    [InlineData(1_000, 97, 1_563, 0)]
    public void Rank_Sample_LeavesRoomForChance(int k, int samples, int blocks, int rank) => Assert.Equal(rank, ThresholdGuess.Rank(k, samples, blocks));
}
