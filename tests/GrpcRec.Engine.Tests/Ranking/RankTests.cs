using CsCheck;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Tests.Models;
using GrpcRec.Engine.Tests.Steps;

namespace GrpcRec.Engine.Tests.Ranking;

public sealed class RankTests
{
    [Fact]
    public void Rank_TiesAndExclusions_EqualsAFullSort()
    {
        var cases =
            from catalog in Gen.Int[1, 300]
            from levels in Gen.Int[1, 8]
            from seed in Gen.Int[0, 1_000_000]
            from queries in Gen.Int[1, 60]
            from excludedShare in Gen.Int[0, 10]
            select (catalog, levels, seed, queries, excludedShare);
        cases.Sample(
            c =>
            {
                var random = new Random(c.seed);
                using var engine = OperatorCases.Create(Tied(c.catalog, c.levels, c.seed), (Backend)random.Next(3));
                var queries = Enumerable.Range(0, c.queries).Select(_ => new RankQuery
                {
                    Slot = engine.TryRent(out var slot) ? slot : default,
                    K = random.Next(1, c.catalog + 1),
                    Excluded = [.. Enumerable.Range(0, c.catalog).Where(_ => random.Next(10) < c.excludedShare)],
                }).ToArray();
                engine.Step([.. queries.Select(query => new GrpcRec.Engine.Steps.StepEvent(query.Slot, random.Next(c.catalog), 0))]);
                engine.Rank(queries);
                var logits = new float[c.catalog];
                return queries.All(query =>
                {
                    engine.ScoreCatalog(query.Slot, logits);
                    return query.Result.SequenceEqual(Enumerable.Range(0, c.catalog).Except(query.Excluded)
                        .Select(item => new RankedItem(item, logits[item]))
                        .OrderByDescending(item => item.Score).ThenBy(item => item.Item).Take(query.K));
                });
            },
            iter: 150);
    }

    [Theory]
    [InlineData(0, new int[0])]
    [InlineData(151, new int[0])]
    [InlineData(5, new[] { 3, 3 })]
    [InlineData(5, new[] { 4, 2 })]
    [InlineData(5, new[] { -1 })]
    [InlineData(5, new[] { 150 })]
    public void Rank_BadQuery_Throws(int k, int[] excluded)
    {
        foreach (var backend in Enum.GetValues<Backend>())
        {
            using var engine = OperatorCases.Create(RandomModel.Create(new ModelShape(4)), backend);
            Assert.True(engine.TryRent(out var slot));
            Assert.ThrowsAny<ArgumentException>(() => engine.Rank([new RankQuery { Slot = slot, K = k, Excluded = excluded }]));
        }
    }

    /// <summary>Item embeddings repeat after a few, and so do their biases: most scores are tied.</summary>
    private static ModelArtifact Tied(int catalog, int levels, int seed)
    {
        var manifest = RandomModel.Manifest(new ModelShape(5, Embedding: 3, Catalog: catalog, Tasks: false));
        var tensors = RandomModel.Tensors(manifest, seed);
        for (var item = levels; item < catalog; item++)
        {
            var embedding = tensors[ModelTensors.ItemEmbedding].Data.AsSpan();
            embedding.Slice((item - levels) * 3, 3).CopyTo(embedding[(item * 3)..]);
            tensors[ModelTensors.NextItemBias].Data[item] = tensors[ModelTensors.NextItemBias].Data[item - levels];
        }

        return ModelArtifact.Create(manifest, RandomModel.Items(catalog), tensors);
    }
}
