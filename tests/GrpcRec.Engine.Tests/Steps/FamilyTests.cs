using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;

namespace GrpcRec.Engine.Tests.Steps;

/// <summary>What must hold of every kind of encoder and trunk besides being right.</summary>
public sealed class FamilyTests
{
    /// <summary>One model of each kind and trunk, all small and of odd sizes.</summary>
    public static readonly ModelShape[] Shapes =
    [
        new(33, Layers: 2, BehaviorEmbedding: 3),
        ModelShape.Gru(33, ResetPlacement.AfterProduct, layers: 2) with { BehaviorEmbedding = 3 },
        ModelShape.Gru(33, ResetPlacement.BeforeProduct, layers: 2) with { BehaviorEmbedding = 3 },
        ModelShape.Rnn(33, layers: 2) with { BehaviorEmbedding = 3 },
        ModelShape.MinGru(33, layers: 2) with { BehaviorEmbedding = 3 },
        ModelShape.Bag(33, layers: 3) with { BehaviorEmbedding = 3 },
        ModelShape.Cnn(33, window: 7, filters: 5, vertical: 2, 1, 3, 7) with { BehaviorEmbedding = 3 },
        new(17, Trunk: TrunkKind.Mmoe, Experts: 3),
        new(17, Trunk: TrunkKind.Cgc, Experts: 3),
        new(17, Trunk: TrunkKind.Ple, Experts: 3),
        new(17, Trunk: TrunkKind.Stem, Experts: 3),
        new(17, Trunk: TrunkKind.Cgc, Experts: 2) { Chain = true },
    ];

    public static TheoryData<ModelShape, Backend> OnEveryBackend => Cases(Enum.GetValues<Backend>());

    public static TheoryData<ModelShape, Backend> OnVectors => Cases([Backend.CpuTables, Backend.CpuNoTables, Backend.Avx2, Backend.Portable]);

    [Theory]
    [MemberData(nameof(OnVectors))]
    public void StepAndScore_Warm_AllocateNothing(ModelShape shape, Backend backend)
    {
        using var engine = OperatorCases.Create(RandomModel.Create(shape), backend);
        var events = Enumerable.Range(0, 20).Select(n => new StepEvent(engine.TryRent(out var slot) ? slot : default, n, n % 3)).ToArray();
        var queries = events.Select(e => new RankQuery { Slot = e.Slot, K = 5, Excluded = [1, 7] }).ToArray();
        int[] items = [1, 2, 3, 4, 5, 6, 7], runItems = [.. Enumerable.Range(0, 40)], runBehaviors = new int[40];
        EventRun[] runs = [new(events[3].Slot, 0, 30), new(events[4].Slot, 30, 10)];
        var logits = new float[items.Length * engine.CandidateWidth];
        var sequence = new float[engine.SequenceWidth];
        var catalog = new float[engine.CatalogSize];
        long Round()
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            engine.Step(events);
            engine.Advance(runs, runItems, runBehaviors);
            engine.ScoreCandidates(events[0].Slot, items, logits);
            engine.ScoreSequence(events[0].Slot, sequence);
            engine.ScoreCatalog(events[0].Slot, catalog);
            engine.Rank(queries);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Round();
        // What is left are the results themselves: 20 arrays of 5 × 8 bytes with their heads.
        Assert.Equal(20 * 64, Round());
    }

    [Theory]
    [MemberData(nameof(OnEveryBackend))]
    public void Engine_WeightsAtTheLimit_StaysFinite(ModelShape shape, Backend backend)
    {
        // Every weight at the limit of the artefact, signs mixed: sums reach 1e11 and more, every gate saturates.
        shape = shape with { Embedding = 64, Bottom = 64, Tower = 32 };
        var manifest = RandomModel.Manifest(shape);
        var limit = ArtifactLimits.Default.MagnitudeOf(manifest);
        var tensors = RandomModel.Tensors(manifest, 1);
        foreach (var tensor in tensors.Values)
        {
            for (var i = 0; i < tensor.Data.Length; i++)
                tensor.Data[i] = tensor.Data[i] < 0 ? -limit : limit;
        }

        using var engine = OperatorCases.Create(ModelArtifact.Create(manifest, RandomModel.Items(shape.Catalog), tensors), backend);
        var slot = OperatorCases.Run(engine, OperatorCases.Sequences(shape, [257], 8), 1, 1)[0];
        Assert.All(Hidden(engine, slot), value => Assert.InRange(value, -1f, 1f));
        var logits = new float[shape.Catalog * engine.CandidateWidth];
        engine.ScoreCandidates(slot, [.. Enumerable.Range(0, shape.Catalog)], logits);
        Assert.All(logits, value => Assert.True(float.IsFinite(value)));
        var sequence = new float[engine.SequenceWidth];
        engine.ScoreSequence(slot, sequence);
        Assert.All(sequence, value => Assert.True(float.IsFinite(value)));
    }

    [Theory]
    [MemberData(nameof(OnEveryBackend))]
    public void TryRent_SlotUsedBefore_StartsFromNoEvents(ModelShape shape, Backend backend)
    {
        using var engine = OperatorCases.Create(RandomModel.Create(shape), backend, slots: 1);
        Assert.True(engine.TryRent(out var slot));
        var fresh = Hidden(engine, slot);
        engine.Step([new StepEvent(slot, 5, 1)]);
        var one = Hidden(engine, slot);
        engine.Step([new StepEvent(slot, 6, 2)]);
        Assert.NotEqual(one, Hidden(engine, slot)); // Reading does not freeze what is computed when read.
        engine.Return(slot);

        Assert.True(engine.TryRent(out slot));
        Assert.Equal(fresh, Hidden(engine, slot));
        engine.Step([new StepEvent(slot, 5, 1)]);
        Assert.Equal(one, Hidden(engine, slot));
    }

    [Fact]
    public void Bag_ManyEvents_KeepsItsAccuracy()
    {
        // A plain float32 sum of 100,000 events is off by 1e-4 and more.
        var shape = ModelShape.Bag(8) with { Catalog = 3 };
        var model = RandomModel.Create(shape);
        using var engine = OperatorCases.Create(model, Backend.CpuTables);
        Assert.True(engine.TryRent(out var slot));
        var items = Enumerable.Range(0, 100_000).Select(n => n % 7 == 0 ? 2 : 1).ToArray();
        engine.Advance([new EventRun(slot, 0, items.Length)], items, new int[items.Length]);
        var exact = new ExactModel(model).Hidden([.. items.Select(item => (item, 0))]);
        Assert.All(exact.Zip(Hidden(engine, slot)), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
    }

    private static TheoryData<ModelShape, Backend> Cases(Backend[] backends)
    {
        var cases = new TheoryData<ModelShape, Backend>();
        foreach (var shape in Shapes)
        {
            foreach (var backend in backends)
                cases.Add(shape, backend);
        }

        return cases;
    }

    private static float[] Hidden(IStepEngine engine, Slot slot)
    {
        var hidden = new float[engine.HiddenSize];
        engine.ReadHidden(slot, hidden);
        return hidden;
    }
}
