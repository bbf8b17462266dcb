using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Cuda;
using GrpcRec.Engine.Tests.Models;
using GrpcRec.Engine.Tests.Steps;

namespace GrpcRec.Engine.Tests.Ranking;

/// <summary>Terms of repeated items in rankings, against the sorted catalogue.</summary>
public sealed class RepeatTests
{
    private static readonly ModelShape Shape = new(20, Tied: false, Catalog: 200) { Repeats = true };

    public static TheoryData<Backend, float> Cases
    {
        get
        {
            var cases = new TheoryData<Backend, float>();
            foreach (var backend in Enum.GetValues<Backend>())
            {
                cases.Add(backend, -8);
                cases.Add(backend, 0.3f);
                cases.Add(backend, 8);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Rank_AnyFilterAndTerms_IsTheSortedCatalogue(Backend backend, float term)
    {
        var manifest = RandomModel.Manifest(Shape);
        var tensors = RandomModel.Tensors(manifest, seed: 3);
        for (var d = 0; d < tensors[ModelTensors.RepeatTerm].Data.Length; d++)
            tensors[ModelTensors.RepeatTerm].Data[d] = term + (0.25f * d);
        var model = ModelArtifact.Create(manifest, RandomModel.Items(Shape.Catalog), tensors);
        using var engine = OperatorCases.Create(model, backend);
        var sequences = OperatorCases.Sequences(Shape, [0, 1, 2, 9, 10, 11, 35, 60], seed: 5);
        var slots = OperatorCases.Run(engine, sequences, maxBatch: 8, seed: 6);
        var random = new Random(7);
        var queries = new List<RankQuery>();
        for (var n = 0; n < slots.Length; n++)
        {
            int[] own = [.. sequences[n].Select(one => one.Item).Distinct().Order()];
            queries.Add(new RankQuery { Slot = slots[n], K = 200 });
            queries.Add(new RankQuery { Slot = slots[n], K = 1 });
            queries.Add(new RankQuery { Slot = slots[n], K = 7, Excluded = own });
            queries.Add(new RankQuery { Slot = slots[n], K = 12, Excluded = [.. Some(random, 60)] });
            queries.Add(new RankQuery { Slot = slots[n], K = 12, Filter = new RankFilter { AllowedItems = [.. Some(random, 90).Union(own.Take(3)).Order()], BlockedCategories = [1] } });
            queries.Add(new RankQuery { Slot = slots[n], K = 12, Excluded = [.. Some(random, 9)], Filter = new RankFilter { BlockedItems = [.. Some(random, 50)], AllowedCategories = [0] } });
        }

        engine.Rank([.. queries]);

        var catalog = new float[Shape.Catalog];
        foreach (var query in queries)
        {
            engine.ScoreCatalog(query.Slot, catalog);
            RankedItem[] expected = [.. Enumerable.Range(0, Shape.Catalog)
                .Where(item => Array.BinarySearch(query.Excluded, item) < 0 && (query.Filter?.Allows(item, model.Items.Items[item].Category) ?? true))
                .Select(item => new RankedItem(item, catalog[item])).OrderByDescending(one => one.Score).ThenBy(one => one.Item).Take(query.K)];
            Assert.Equal(expected, query.Result);
        }
    }

    [Fact]
    public void TryRent_AfterReturn_HasForgotten()
    {
        using var engine = OperatorCases.Create(RandomModel.Create(Shape), Backend.CpuTables, slots: 1);
        var fresh = new float[Shape.Catalog];
        var again = new float[Shape.Catalog];
        Assert.True(engine.TryRent(out var slot));
        engine.ScoreCatalog(slot, fresh);
        engine.Step([new StepEvent(slot, 5, 0)]);
        engine.Return(slot);
        Assert.True(engine.TryRent(out slot));
        engine.ScoreCatalog(slot, again);
        Assert.Equal(fresh, again);
        Assert.Throws<InvalidOperationException>(() => engine.Rank([new RankQuery { Slot = new Slot(-1), K = 1 }]));
    }

    [Fact]
    public void ScoreCatalog_AfterALossOfTheDevice_IsThatOfWhatWasReadSince()
    {
        var model = RandomModel.Create(Shape);
        var lost = new LosableEngine(StepEngineFactory.OfKind(model, new EngineOptions { Kind = EngineKind.Scalar, SlotCapacity = 2 }));
        using var engine = new RepeatEngine(new CudaFailover(model, new EngineOptions { Kind = EngineKind.Scalar, SlotCapacity = 2, Cuda = new() { OnLoss = DeviceLossAction.Cpu } }, () => lost), model);
        using var plain = OperatorCases.Create(model, Backend.Scalar);
        Assert.True(engine.TryRent(out var before));
        engine.Step([new StepEvent(before, 5, 0)]);
        lost.IsLost = true;
        Assert.ThrowsAny<EngineLostException>(() => engine.Step([new StepEvent(before, 6, 0)]));
        engine.Return(before);

        Assert.True(engine.TryRent(out var after));
        Assert.True(plain.TryRent(out var other));
        engine.Step([new StepEvent(after, 7, 0)]);
        plain.Step([new StepEvent(other, 7, 0)]);

        var (ours, theirs) = (new float[Shape.Catalog], new float[Shape.Catalog]);
        engine.ScoreCatalog(after, ours);
        plain.ScoreCatalog(other, theirs);
        for (var item = 0; item < ours.Length; item++)
            Assert.Equal(theirs[item], ours[item], 1e-4f);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(50, 6)]
    [InlineData(64, 7)]
    [InlineData(200, 8)]
    public void Count_AnyLength_IsThatOfThePowersOfTwo(int length, int count)
    {
        Assert.Equal(count, RepeatTerms.Count(length));
        Assert.Equal(count - 1, RepeatTerms.Of(length - 1));
        Assert.Equal(0, RepeatTerms.Of(0));
    }

    private static IEnumerable<int> Some(Random random, int count) => Enumerable.Range(0, count).Select(_ => random.Next(Shape.Catalog)).Distinct().Order();
}
