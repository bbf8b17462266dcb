using CsCheck;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;

namespace GrpcRec.Engine.Tests.Ranking;

public sealed class FilterTests
{
    private static readonly EngineOptions[] Ways =
    [
        new() { Kind = EngineKind.Scalar },
        new() { Kind = EngineKind.Cpu },
        new() { Kind = EngineKind.Cpu, Scan = ScanKind.Float32 },
        new() { Kind = EngineKind.Cpu, Scan = ScanKind.Int8 },
        new() { Kind = EngineKind.Cpu, Scan = ScanKind.Int8, Path = KernelPath.Portable },
    ];

    /// <summary>Every share of the catalogue, scattered and in one piece, by every part of a filter, in company of queries without one.</summary>
    [Fact]
    public void Rank_AnyFilter_EqualsAFullSortOfWhatIsLeft()
    {
        var cases =
            from catalog in Gen.Int[1, 2_500]
            from categories in Gen.Int[1, 40]
            from way in Gen.Int[0, Ways.Length - 1]
            from queries in Gen.Int[1, 70]
            from seed in Gen.Int[0, 1_000_000]
            select (catalog, categories, way, queries, seed);
        cases.Sample(
            c =>
            {
                var random = new Random(c.seed);
                var model = Model(c.catalog, c.categories, random);
                using var engine = StepEngineFactory.Create(model, Ways[c.way] with { SlotCapacity = 70 });
                var queries = Enumerable.Range(0, c.way == 0 ? 3 : c.queries).Select(_ => new RankQuery
                {
                    Slot = engine.TryRent(out var slot) ? slot : default,
                    K = random.Next(3) == 0 ? random.Next(1, c.catalog + 1) : Math.Min(c.catalog, random.Next(1, 30)),
                    Excluded = Some(c.catalog, random.Next(3) == 0 ? 0.2 : 0, random),
                    Filter = Filter(c.catalog, c.categories, random),
                }).ToArray();
                engine.Step([.. queries.Select(query => new StepEvent(query.Slot, random.Next(c.catalog), 0))]);
                engine.Rank(queries);
                AssertSorted(engine, model, queries);
            },
            iter: 150);
    }

    [Fact]
    public void Rank_FilterThatLeavesNothing_IsEmpty()
    {
        var model = Model(200, 4, new Random(1));
        foreach (var way in Ways)
        {
            using var engine = StepEngineFactory.Create(model, way);
            Assert.True(engine.TryRent(out var slot));
            foreach (var filter in new RankFilter[] { new() { AllowedItems = [] }, new() { AllowedCategories = [] }, new() { AllowedItems = [7], BlockedItems = [7] } })
            {
                var query = new RankQuery { Slot = slot, K = 5, Filter = filter };
                engine.Rank([query]);
                Assert.Empty(query.Result);
            }
        }
    }

    [Theory]
    [InlineData(new[] { 3, 3 }, new int[0])]
    [InlineData(new[] { 200 }, new int[0])]
    [InlineData(new[] { -1 }, new int[0])]
    [InlineData(new int[0], new[] { 4 })]
    [InlineData(new int[0], new[] { 2, 1 })]
    public void Rank_BadFilter_Throws(int[] items, int[] categories)
    {
        foreach (var way in Ways)
        {
            using var engine = StepEngineFactory.Create(Model(200, 4, new Random(1)), way);
            Assert.True(engine.TryRent(out var slot));
            foreach (var filter in new RankFilter[]
            {
                new() { AllowedItems = items, AllowedCategories = categories },
                new() { BlockedItems = items, BlockedCategories = categories },
            })
                Assert.Throws<ArgumentException>(() => engine.Rank([new RankQuery { Slot = slot, K = 5, Filter = filter }]));
        }
    }

    /// <summary>All of a query's working memory is the engine's own: what a call takes is its answer.</summary>
    [Fact]
    public void Rank_WarmedUp_AllocatesItsAnswerAlone()
    {
        const int k = 10;
        var model = Model(5_000, 8, new Random(2));
        foreach (var way in Ways.Where(way => way.Kind == EngineKind.Cpu))
        {
            using var engine = StepEngineFactory.Create(model, way);
            Assert.True(engine.TryRent(out var slot));
            RankFilter?[] filters =
            [
                null, new() { AllowedCategories = [1, 2, 3, 4] }, new() { AllowedCategories = [5] }, new() { AllowedItems = [.. Enumerable.Range(0, 50)] }, new() { BlockedItems = [1, 2] },
            ];
            var queries = filters.Select(filter => new RankQuery { Slot = slot, K = k, Filter = filter }).ToArray();
            for (var warm = 0; warm < 3; warm++)
                engine.Rank(queries);
            // The runtime takes a little now and then while it compiles anew: the best round of some tells what the engine takes.
            var least = Enumerable.Range(0, 5).Min(_ =>
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                for (var call = 0; call < 100; call++)
                    engine.Rank(queries);
                return GC.GetAllocatedBytesForCurrentThread() - before;
            });
            Assert.Equal(100L * queries.Length * ((8 * k) + 24), least);
        }
    }

    private static void AssertSorted(IStepEngine engine, ModelArtifact model, RankQuery[] queries)
    {
        var logits = new float[engine.CatalogSize];
        foreach (var query in queries)
        {
            engine.ScoreCatalog(query.Slot, logits);
            var expected = Enumerable.Range(0, engine.CatalogSize).Except(query.Excluded)
                .Where(item => query.Filter is null || Passes(query.Filter, item, model.Items.Items[item].Category))
                .Select(item => new RankedItem(item, logits[item]))
                .OrderByDescending(item => item.Score).ThenBy(item => item.Item).Take(query.K);
            Assert.Equal(expected, query.Result);
        }
    }

    /// <summary>The filter's meaning in the plainest words.</summary>
    private static bool Passes(RankFilter filter, int item, int category)
    {
        if (filter.AllowedItems is not null && !filter.AllowedItems.Contains(item))
            return false;
        if (filter.AllowedCategories is not null && !filter.AllowedCategories.Contains(category))
            return false;
        return !filter.BlockedItems.Contains(item) && !filter.BlockedCategories.Contains(category);
    }

    private static RankFilter? Filter(int catalog, int categories, Random random) => random.Next(4) == 0 ? null : new RankFilter
    {
        AllowedItems = random.Next(2) == 0 ? null : random.Next(4) == 0 ? Piece(catalog, random) : Some(catalog, Share(random), random),
        BlockedItems = random.Next(2) == 0 ? [] : random.Next(4) == 0 ? Piece(catalog, random) : Some(catalog, Share(random), random),
        AllowedCategories = random.Next(2) == 0 ? null : Some(categories, Share(random), random),
        BlockedCategories = random.Next(2) == 0 ? [] : Some(categories, Share(random), random),
    };

    private static double Share(Random random) => random.Next(5) switch
    {
        0 => 0,
        1 => 1,
        2 => 0.01,
        _ => random.NextDouble(),
    };

    private static int[] Some(int count, double share, Random random) => [.. Enumerable.Range(0, count).Where(_ => random.NextDouble() < share)];

    private static int[] Piece(int count, Random random)
    {
        var start = random.Next(count);
        return [.. Enumerable.Range(start, random.Next(count - start + 1))];
    }

    /// <summary>Categories of very different sizes, the first of them in one piece; some items have none.</summary>
    private static ModelArtifact Model(int catalog, int categories, Random random)
    {
        var manifest = RandomModel.Manifest(new ModelShape(5, Embedding: 7, Catalog: catalog, Tasks: false)) with
        {
            Categories = [.. Enumerable.Range(0, categories).Select(n => $"c{n}")],
        };
        var items = Enumerable.Range(0, catalog).Select(item => new CatalogItem(
            $"item-{item}", 1, item < catalog / 5 ? 0 : random.Next(10) == 0 ? -1 : (int)(categories * Math.Pow(random.NextDouble(), 3))));
        return ModelArtifact.Create(manifest, new ItemCatalog([.. items]), RandomModel.Tensors(manifest, random.Next()));
    }
}
