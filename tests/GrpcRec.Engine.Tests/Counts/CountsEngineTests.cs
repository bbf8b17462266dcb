using CsCheck;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Tests.Counts;

/// <summary>The engine of counts against its definition in <see cref="CountsManifest"/>, written out for one sequence at a time.</summary>
public sealed class CountsEngineTests
{
    [Fact]
    public void Rank_AnySequencesFiltersAndSteps_EqualsTheDefinition()
    {
        var cases =
            from catalog in Gen.Frequency((3, Gen.Int[1, 80]), (1, Gen.Int[80, 1_500]))
            from reach in Gen.Int[1, 12]
            from decay in Gen.OneOf(Gen.Const(1.0), Gen.Const(0.7), Gen.Const(0.5))
            from seed in Gen.Int[0, 1_000_000]
            select (catalog, reach, decay, seed);
        cases.Sample(
            c =>
            {
                var random = new Random(c.seed);
                var categories = random.Next(4);
                var rows = CountedModel.Rows(c.catalog, random);
                var model = CountedModel.Create(rows, c.reach, c.decay, categories, random, CountedModel.Click, CountedModel.Next);
                using var engine = StepEngineFactory.Create(model, new EngineOptions { SlotCapacity = 8 });
                var pasts = new List<int>[5];
                var slots = new Slot[pasts.Length];
                for (var s = 0; s < pasts.Length; s++)
                {
                    pasts[s] = [];
                    Assert.True(engine.TryRent(out slots[s]));
                }

                // Sessions grow between the answers, by single steps and by runs.
                for (var round = 0; round < 3; round++)
                {
                    Grow(engine, slots, pasts, c.catalog, random);
                    var queries = slots.Select(slot => Query(slot, c.catalog, categories, random)).ToArray();
                    engine.Rank(queries);
                    for (var s = 0; s < pasts.Length; s++)
                        Assert.Equal(Expected(model, rows, c.reach, c.decay, pasts[s], queries[s]), queries[s].Result);
                }
            },
            iter: 400);
    }

    [Fact]
    public void Score_Candidates_AreTheScoresThatRankGivesAndTheTasksOwnTerms()
    {
        var random = new Random(5);
        var rows = CountedModel.Rows(60, random);
        var model = CountedModel.Create(rows, 4, 0.7, 2, random, CountedModel.Click, CountedModel.Next);
        using var engine = StepEngineFactory.Create(model, new EngineOptions { SlotCapacity = 1 });
        Assert.True(engine.TryRent(out var slot));
        engine.Advance([new EventRun(slot, 0, 6)], [5, 9, 9, 30, 2, 41], new int[6]);

        var query = new RankQuery { Slot = slot, K = 60 };
        engine.Rank([query]);
        int[] items = [.. query.Result.Select(ranked => ranked.Item)];
        var logits = new float[items.Length * 2];
        engine.ScoreCandidates(slot, items, logits);
        var catalog = new float[60];
        engine.ScoreCatalog(slot, catalog);
        for (var n = 0; n < items.Length; n++)
        {
            Assert.Equal(model.Weights(ModelTensors.TaskItemBias("click"))[items[n]], logits[2 * n]);
            Assert.Equal(query.Result[n].Score, logits[(2 * n) + 1]);
            Assert.Equal(query.Result[n].Score, catalog[items[n]]);
        }

        // Neighbours score above 0, all others at most 0: whoever sorts scores of his own puts them in the same order.
        Assert.Equal(query.Result.Select(ranked => ranked.Score).OrderDescending(), query.Result.Select(ranked => ranked.Score));
        Assert.Contains(query.Result, ranked => ranked.Score > 0);
        Assert.Contains(query.Result, ranked => ranked.Score < 0);
    }

    [Fact]
    public void Rent_SlotOfAnotherSession_RemembersNothing()
    {
        (int, float)[][] rows = [[(1, 1f)], [], []];
        var model = CountedModel.Create(rows, 3, 1, 0, new Random(1));
        using var engine = StepEngineFactory.Create(model, new EngineOptions { SlotCapacity = 1 });
        Assert.True(engine.TryRent(out var slot));
        engine.Step([new StepEvent(slot, 0, 0)]);
        var hidden = new float[3];
        engine.ReadHidden(slot, hidden);
        Assert.Equal([0f, -1, -1], hidden);
        engine.Return(slot);

        Assert.True(engine.TryRent(out slot));
        engine.ReadHidden(slot, hidden);
        Assert.Equal([-1f, -1, -1], hidden);
        var scores = new float[3];
        engine.ScoreCatalog(slot, scores);
        Assert.All(scores, score => Assert.True(score < 0));
    }

    [Fact]
    public void Create_AnyKindOfEngine_ServesItOnTheProcessor()
    {
        var model = CountedModel.Create([[(1, 1f)], []], 2, 1, 0, new Random(1));
        foreach (var kind in Enum.GetValues<EngineKind>())
        {
            using var engine = StepEngineFactory.Create(model, new EngineOptions { Kind = kind, SlotCapacity = 2 });
            Assert.Equal("cpu-counts", engine.Name);
            Assert.Equal(kind == EngineKind.Cuda, engine.Description.Contains("no form for a device", StringComparison.Ordinal));
        }

        var refusal = Assert.Throws<EngineException>(() => StepEngineFactory.Create(model, new EngineOptions { Precision = Precision.Int8 }));
        Assert.Contains("no form in precision Int8", refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>All of a query's working memory is the engine's own: what a call takes is its answer.</summary>
    [Fact]
    public void Answers_WarmedUp_AllocateTheirRankingAlone()
    {
        const int k = 10;
        var random = new Random(2);
        var model = CountedModel.Create(CountedModel.Rows(3_000, random), 10, 0.7, 8, random, CountedModel.Click, CountedModel.Next);
        using var engine = StepEngineFactory.Create(model, new EngineOptions { SlotCapacity = 2 });
        Assert.True(engine.TryRent(out var slot));
        RankFilter?[] filters =
        [
            null, new() { AllowedCategories = [1, 2, 3] }, new() { AllowedItems = [.. Enumerable.Range(0, 30)] }, new() { BlockedItems = [1, 2] },
        ];
        var queries = filters.Select(filter => new RankQuery { Slot = slot, K = k, Filter = filter, Excluded = [3, 5, 8] }).ToArray();
        var logits = new float[6];
        for (var warm = 0; warm < 3; warm++)
            Round();
        var least = Enumerable.Range(0, 5).Min(_ =>
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var call = 0; call < 100; call++)
                Round();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        });
        Assert.Equal(100L * queries.Length * ((8 * k) + 24), least);

        void Round()
        {
            engine.Advance([new EventRun(slot, 0, 3)], [7, 8, 9], [0, 1, 0]);
            engine.Step([new StepEvent(slot, 11, 0)]);
            engine.Rank(queries);
            engine.ScoreCandidates(slot, [1, 2, 3], logits);
        }
    }

    private static void Grow(IStepEngine engine, Slot[] slots, List<int>[] pasts, int catalog, Random random)
    {
        for (var s = 0; s < slots.Length; s++)
        {
            int[] items = [.. Enumerable.Range(0, random.Next(15)).Select(_ => random.Next(catalog))];
            pasts[s].AddRange(items);
            if (random.Next(2) == 0)
                engine.Advance([new EventRun(slots[s], 0, items.Length)], items, new int[items.Length]);
            else
                Array.ForEach(items, item => engine.Step([new StepEvent(slots[s], item, 1)]));
        }
    }

    private static RankQuery Query(Slot slot, int catalog, int categories, Random random) => new()
    {
        Slot = slot,
        K = random.Next(2) == 0 ? random.Next(1, catalog + 1) : Math.Min(catalog, random.Next(1, 20)),
        Excluded = Some(catalog, random.Next(2) == 0 ? 0 : random.NextDouble(), random),
        Filter = random.Next(3) == 0 ? null : new RankFilter
        {
            AllowedItems = random.Next(2) == 0 ? null : Some(catalog, random.NextDouble() * random.NextDouble(), random),
            BlockedItems = random.Next(2) == 0 ? [] : Some(catalog, random.NextDouble(), random),
            AllowedCategories = categories == 0 || random.Next(2) == 0 ? null : Some(categories, 0.6, random),
            BlockedCategories = random.Next(2) == 0 ? [] : Some(categories, 0.3, random),
        },
    };

    private static int[] Some(int count, double share, Random random) => [.. Enumerable.Range(0, count).Where(_ => random.NextDouble() < share)];

    private static RankedItem[] Expected(ModelArtifact model, (int Item, float Weight)[][] rows, int reach, double decay, List<int> past, RankQuery query)
    {
        var items = model.Items.Items;
        var sums = new float?[items.Count];
        var factor = 1f;
        foreach (var item in Enumerable.Reverse(past).Take(reach))
        {
            foreach (var (neighbour, weight) in rows[item])
                sums[neighbour] = (sums[neighbour] ?? 0) + (factor * weight);
            factor *= (float)decay;
        }

        var total = items.Sum(item => item.Count + 1.0);
        return [.. Enumerable.Range(0, items.Count)
            .Where(item => !query.Excluded.Contains(item) && (query.Filter is not { } filter
                || ((filter.AllowedItems?.Contains(item) ?? true) && !filter.BlockedItems.Contains(item)
                    && (filter.AllowedCategories?.Contains(items[item].Category) ?? true) && !filter.BlockedCategories.Contains(items[item].Category))))
            .OrderByDescending(item => sums[item] is not null).ThenByDescending(item => sums[item] ?? 0).ThenByDescending(item => items[item].Count).ThenBy(item => item)
            .Take(query.K)
            .Select(item => new RankedItem(item, sums[item] ?? (float)Math.Log((items[item].Count + 1.0) / total)))];
    }
}
