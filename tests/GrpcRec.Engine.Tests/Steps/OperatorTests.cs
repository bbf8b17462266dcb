using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;

namespace GrpcRec.Engine.Tests.Steps;

public sealed class OperatorTests
{
    // State stays in [-1, 1] and contracts, so float32 errors of a few 1e-7 a step do not grow with the sequence.
    private const double Tolerance = 1e-5;

    [Theory]
    [MemberData(nameof(OperatorCases.All), MemberType = typeof(OperatorCases))]
    public void Step_RaggedBatches_MatchesExactArithmetic(ModelShape shape, Backend backend)
    {
        var model = RandomModel.Create(shape);
        using var engine = OperatorCases.Create(model, backend);
        if (engine is CpuEngine cpu)
        {
            Assert.Equal(backend != Backend.CpuNoTables && shape.IsRecurrent, cpu.UsesGateTable);
            Assert.Equal(backend != Backend.CpuNoTables && shape.Tasks, cpu.UsesBottomTable);
        }

        var exact = new ExactModel(model);
        var sequences = OperatorCases.Sequences(shape, OperatorCases.EdgeLengths, seed: 2);
        var slots = OperatorCases.Run(engine, sequences, maxBatch: 20, seed: 3);
        var items = Enumerable.Range(0, shape.Catalog).ToArray();
        var hidden = new float[engine.HiddenSize];
        var sequenceLogits = new float[engine.SequenceWidth];
        var catalog = new float[engine.CatalogSize];
        for (var n = 0; n < sequences.Length; n++)
        {
            var h = exact.Hidden(sequences[n]);
            engine.ReadHidden(slots[n], hidden);
            Close(h, hidden);
            engine.ScoreSequence(slots[n], sequenceLogits);
            Close(exact.Sequence(h), sequenceLogits);
            engine.ScoreCatalog(slots[n], catalog);
            Close([.. items.Select(item => exact.NextItem(h, item, sequences[n]))], catalog);
            // Candidate counts around the row blocks of 6 and the tile of 48.
            var some = items.Take(Math.Min(items.Length, 1 + (n * 9))).ToArray();
            var logits = new float[some.Length * engine.CandidateWidth];
            engine.ScoreCandidates(slots[n], some, logits);
            Close([.. some.SelectMany(item => exact.Candidate(h, item, sequences[n]))], logits);
            var request = OperatorCases.Request(shape, n);
            engine.ScoreCandidates(slots[n], request, some, logits);
            Close([.. some.SelectMany(item => exact.Candidate(h, item, sequences[n], request))], logits);
        }
    }

    [Theory]
    [MemberData(nameof(OperatorCases.All), MemberType = typeof(OperatorCases))]
    public void Engine_AloneOrInCompany_GivesTheSameBits(ModelShape shape, Backend backend)
    {
        var model = RandomModel.Create(shape);
        using var engine = OperatorCases.Create(model, backend);
        var sequences = OperatorCases.Sequences(shape, Enumerable.Range(0, 20).Select(n => 1 + (n * 3)), seed: 4);
        var company = OperatorCases.Run(engine, sequences, maxBatch: 20, seed: 5);
        var alone = OperatorCases.Run(engine, sequences, maxBatch: 1, seed: 6);

        var items = Enumerable.Range(0, shape.Catalog).ToArray();
        var together = company.Select(slot => new RankQuery { Slot = slot, K = Math.Min(10, shape.Catalog) }).ToArray();
        engine.Rank(together);
        for (var n = 0; n < sequences.Length; n++)
        {
            Assert.Equal(Bits(Hidden(engine, company[n])), Bits(Hidden(engine, alone[n])));
            var one = new RankQuery { Slot = alone[n], K = Math.Min(10, shape.Catalog) };
            engine.Rank([one]);
            Assert.Equal(together[n].Result, one.Result);

            var all = new float[items.Length * engine.CandidateWidth];
            engine.ScoreCandidates(company[n], OperatorCases.Request(shape, n), items, all);
            var single = new float[engine.CandidateWidth];
            engine.ScoreCandidates(alone[n], OperatorCases.Request(shape, n), [items[^1]], single);
            Assert.Equal(Bits(all[^engine.CandidateWidth..]), Bits(single));
        }
    }

    [Theory]
    [MemberData(nameof(OperatorCases.All), MemberType = typeof(OperatorCases))]
    public void ScoreCandidates_NextItem_IsTheCatalogScoreBitForBit(ModelShape shape, Backend backend)
    {
        using var engine = OperatorCases.Create(RandomModel.Create(shape), backend);
        var slot = OperatorCases.Run(engine, OperatorCases.Sequences(shape, [9], seed: 7), 1, seed: 1)[0];
        var items = Enumerable.Range(0, shape.Catalog).ToArray();
        var catalog = new float[items.Length];
        engine.ScoreCatalog(slot, catalog);
        var logits = new float[items.Length * engine.CandidateWidth];
        engine.ScoreCandidates(slot, items, logits);
        var offset = shape.Tasks ? 1 : 0;
        Assert.Equal(Bits(catalog), Bits([.. items.Select(item => logits[(item * engine.CandidateWidth) + offset])]));
    }

    [Theory]
    [InlineData(Backend.Scalar)]
    [InlineData(Backend.CpuTables)]
    [InlineData(Backend.CpuNoTables)]
    [InlineData(Backend.Avx2)]
    [InlineData(Backend.Portable)]
    public void Slots_Misused_Throw(Backend backend)
    {
        var shape = new ModelShape(7, Layers: 2);
        using var engine = OperatorCases.Create(RandomModel.Create(shape), backend, slots: 2);
        Assert.True(engine.TryRent(out var a));
        Assert.True(engine.TryRent(out var b));
        Assert.False(engine.TryRent(out _));
        Assert.Equal(0, engine.FreeSlots);

        Assert.Throws<ArgumentException>(() => engine.Step([new StepEvent(a, 1, 0), new StepEvent(a, 1, 0)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => engine.Step([new StepEvent(a, 1, 0), new StepEvent(b, shape.Catalog, 0)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => engine.Step([new StepEvent(a, 1, 3)]));
        Assert.All(Hidden(engine, a), value => Assert.Equal(0, value)); // A refused batch changed nothing.

        engine.Step([new StepEvent(a, 1, 0)]);
        engine.Return(a);
        Assert.Throws<InvalidOperationException>(() => engine.Return(a));
        Assert.Throws<InvalidOperationException>(() => engine.Step([new StepEvent(a, 1, 0)]));
        Assert.Throws<InvalidOperationException>(() => engine.ReadHidden(a, new float[7]));
        Assert.Throws<InvalidOperationException>(() => engine.ReadHidden(new Slot(-1), new float[7]));
        Assert.True(engine.TryRent(out var again));
        Assert.All(Hidden(engine, again), value => Assert.Equal(0, value));
    }

    [Theory]
    [InlineData(Backend.Scalar)]
    [InlineData(Backend.CpuTables)]
    public void ScoreCandidates_RequestOutOfRange_Throws(Backend backend)
    {
        using var engine = OperatorCases.Create(RandomModel.Create(new ModelShape(7) { Requests = true }), backend);
        Assert.True(engine.TryRent(out var slot));
        var logits = new float[engine.CandidateWidth];
        Assert.Throws<ArgumentException>(() => engine.ScoreCandidates(slot, [1], [0], logits));
        Assert.Throws<ArgumentOutOfRangeException>(() => engine.ScoreCandidates(slot, [0, 4], [0], logits));
        Assert.Throws<ArgumentOutOfRangeException>(() => engine.ScoreCandidates(slot, [-1, 0], [0], logits));
        engine.ScoreCandidates(slot, [0, 0], [0], logits);
        var nothing = new float[engine.CandidateWidth];
        engine.ScoreCandidates(slot, [0], nothing);
        Assert.Equal(nothing, logits);
        engine.ScoreCandidates(slot, [2, 3], [0], logits);
        Assert.NotEqual(nothing, logits);
        // What was known of one request is not left for the next.
        engine.ScoreCandidates(slot, [0], logits);
        Assert.Equal(nothing, logits);
    }

    [Fact]
    public void Engines_OfOneArtefact_ShareWeightsAndSurviveEachOther()
    {
        var model = RandomModel.Create(new ModelShape(16));
        var first = OperatorCases.Create(model, Backend.CpuTables);
        using var second = OperatorCases.Create(model, Backend.CpuTables);
        first.Dispose();
        first.Dispose();
        Assert.Throws<ObjectDisposedException>(() => first.TryRent(out _));
        Assert.True(second.TryRent(out var slot));
        second.Step([new StepEvent(slot, 3, 0)]);
        Assert.Contains(Hidden(second, slot), value => value != 0);
    }

    [Fact]
    public void Create_OptionOutOfRange_Throws() =>
        Assert.Throws<System.ComponentModel.DataAnnotations.ValidationException>(
            () => StepEngineFactory.Create(RandomModel.Create(new ModelShape(4)), new EngineOptions { SlotCapacity = 0 }));

    private static float[] Hidden(IStepEngine engine, Slot slot)
    {
        var hidden = new float[engine.HiddenSize];
        engine.ReadHidden(slot, hidden);
        return hidden;
    }

    private static int[] Bits(float[] values) => [.. values.Select(BitConverter.SingleToInt32Bits)];

    private static void Close(double[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= Tolerance, $"at {i}: {actual[i]} where {expected[i]} is exact");
    }
}
