using CsCheck;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;

namespace GrpcRec.Engine.Tests.Ranking;

public sealed class ItemMaskTests
{
    /// <summary>Lists of every density, scattered and in one piece, in a mask that another list was in before.</summary>
    [Fact]
    public void Compile_AnyList_HasItsItemsAlone()
    {
        var cases =
            from size in Gen.Int[1, 20_000]
            from percent in Gen.Int[0, 100]
            from isPiece in Gen.Bool
            from seed in Gen.Int[0, 1_000_000]
            select (size, percent, isPiece, seed);
        cases.Sample(
            c =>
            {
                var random = new Random(c.seed);
                var mask = new ItemMask(c.size);
                var categories = new CategoryIndex(new ItemCatalog([]), 0);
                foreach (var _ in Enumerable.Range(0, 2))
                {
                    var count = c.size * c.percent / 100;
                    int[] allowed = c.isPiece
                        ? [.. Enumerable.Range(random.Next(c.size - count + 1), count)]
                        : [.. Enumerable.Range(0, c.size).Where(_ => random.Next(100) < c.percent)];
                    mask.Compile(new RankFilter { AllowedItems = allowed }, [], categories);
                    Assert.Equal(allowed, Items(mask));
                    Assert.Equal(allowed.Length, mask.Count);
                    Assert.Equal(allowed.Select(item => item / 64).Distinct().Count(), mask.Blocks);
                }
            },
            iter: 100);
    }

    private static int[] Items(ItemMask mask)
    {
        var words = mask.Words.ToArray();
        return [.. Enumerable.Range(0, 64 * words.Length).Where(item => ((words[item / 64] >> (item % 64)) & 1) != 0)];
    }
}
