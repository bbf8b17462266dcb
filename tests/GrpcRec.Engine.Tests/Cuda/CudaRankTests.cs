using CsCheck;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;

namespace GrpcRec.Engine.Tests.Cuda;

[Collection(StandIn.Collection)]
public sealed class CudaRankTests
{
    /// <summary>Ties by the hundred, exclusions long and short, filters, k past what a list holds: all against a full sort of the engine's own scores.</summary>
    [SkippableFact]
    public void Rank_TiesExclusionsAndFilters_EqualsAFullSort()
    {
        StandIn.Begin();
        var cases =
            from capability in Gen.Int[0, StandIn.Capabilities.Length - 1]
            from catalog in Gen.Int[1, 1_500]
            from levels in Gen.Int[1, 2_000]
            from queries in Gen.Int[1, 70]
            from seed in Gen.Int[0, 1_000_000]
            select (capability, catalog, levels, queries, seed);
        cases.Sample(
            c =>
            {
                var random = new Random(c.seed);
                var model = Model(c.catalog, c.levels, random);
                using var engine = StandIn.Create(model, StandIn.Begin(StandIn.Capabilities[c.capability]), slots: 70);
                var queries = Enumerable.Range(0, c.queries).Select(n => new RankQuery
                {
                    Slot = engine.TryRent(out var slot) ? slot : default,
                    K = n == 0 ? random.Next(1, c.catalog + 1) : Math.Min(c.catalog, random.Next(1, 30)),
                    Excluded = random.Next(2) == 0 ? [] : Some(c.catalog, random.NextDouble() * random.NextDouble(), random),
                    Filter = random.Next(3) > 0 ? null : new RankFilter { AllowedItems = Some(c.catalog, random.NextDouble(), random), BlockedCategories = random.Next(2) == 0 ? [] : [1] },
                }).ToArray();
                engine.Step([.. queries.Select(query => new StepEvent(query.Slot, random.Next(c.catalog), 0))]);
                engine.Rank(queries);
                var logits = new float[c.catalog];
                foreach (var query in queries)
                {
                    engine.ScoreCatalog(query.Slot, logits);
                    var expected = Enumerable.Range(0, c.catalog).Except(query.Excluded)
                        .Where(item => query.Filter?.Allows(item, model.Items.Items[item].Category) != false)
                        .Select(item => new RankedItem(item, logits[item]))
                        .OrderByDescending(item => item.Score).ThenBy(item => item.Item).Take(query.K);
                    Assert.Equal(expected, query.Result);
                }
            },
            iter: StandIn.All ? 40 : 6, threads: 1);
    }

    /// <summary>The widest that a device ranks, and wider: fewer queries a block, then the host.</summary>
    [SkippableTheory]
    [InlineData("7.5", 500)]
    [InlineData("7.5", 1_024)]
    [InlineData("9.0", 1_024)]
    public void Rank_WideEmbedding_EqualsAFullSort(string capability, int embedding)
    {
        var model = RandomModel.Create(new ModelShape(5, Embedding: embedding, Catalog: 300, Tasks: false));
        using var engine = StandIn.Create(model, StandIn.Begin(capability));
        Assert.True(engine.TryRent(out var slot));
        engine.Step([new StepEvent(slot, 7, 0)]);
        var logits = new float[300];
        engine.ScoreCatalog(slot, logits);
        foreach (var k in new[] { 1, 20, 300 })
        {
            var query = new RankQuery { Slot = slot, K = k };
            engine.Rank([query]);
            Assert.Equal(
                Enumerable.Range(0, 300).Select(item => new RankedItem(item, logits[item])).OrderByDescending(item => item.Score).ThenBy(item => item.Item).Take(k), query.Result);
        }
    }

    [SkippableTheory]
    [InlineData(0, new int[0])]
    [InlineData(151, new int[0])]
    [InlineData(5, new[] { 3, 3 })]
    [InlineData(5, new[] { 150 })]
    public void Rank_BadQuery_Throws(int k, int[] excluded)
    {
        using var engine = StandIn.Create(RandomModel.Create(new ModelShape(4)), StandIn.Begin());
        Assert.True(engine.TryRent(out var slot));
        Assert.ThrowsAny<ArgumentException>(() => engine.Rank([new RankQuery { Slot = slot, K = k, Excluded = excluded }]));
    }

    private static int[] Some(int count, double share, Random random) => [.. Enumerable.Range(0, count).Where(_ => random.NextDouble() < share)];

    /// <summary>Item embeddings and biases repeat after a few levels.</summary>
    private static ModelArtifact Model(int catalog, int levels, Random random)
    {
        var manifest = RandomModel.Manifest(new ModelShape(5, Embedding: 7, Catalog: catalog, Tasks: false)) with { Categories = ["a", "b", "c"] };
        var tensors = RandomModel.Tensors(manifest, random.Next());
        for (var item = levels; item < catalog; item++)
        {
            var embedding = tensors[ModelTensors.ItemEmbedding].Data.AsSpan();
            embedding.Slice((item - levels) * 7, 7).CopyTo(embedding[(item * 7)..]);
            tensors[ModelTensors.NextItemBias].Data[item] = tensors[ModelTensors.NextItemBias].Data[item - levels];
        }

        return ModelArtifact.Create(manifest, new ItemCatalog([.. Enumerable.Range(0, catalog).Select(i => new CatalogItem($"item-{i}", 1, (i % 4) - 1))]), tensors);
    }
}
