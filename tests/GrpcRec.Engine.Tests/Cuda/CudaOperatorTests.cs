using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Cpu;
using GrpcRec.Engine.Tests.Models;
using GrpcRec.Engine.Tests.Steps;

namespace GrpcRec.Engine.Tests.Cuda;

/// <summary>The operator table on the kernels that nvcc made, run by the stand-in driver.</summary>
[Collection(StandIn.Collection)]
public sealed class CudaOperatorTests
{
    private static readonly int[] Lengths = StandIn.All ? OperatorCases.EdgeLengths : [0, 1, 2, 5, 16, 17, 33, 65];

    [SkippableTheory]
    [MemberData(nameof(CudaCase.Every), MemberType = typeof(CudaCase))]
    public void Step_RaggedBatches_MatchesExactArithmetic(CudaCase the)
    {
        var model = RandomModel.Create(the.Shape);
        using var engine = the.Create(model);
        Assert.Equal(the.Table, engine.UsesGateTable);
        var exact = new ExactModel(model);
        var sequences = OperatorCases.Sequences(the.Shape, Lengths, seed: 2);
        var slots = OperatorCases.Run(engine, sequences, maxBatch: 20, seed: 3);
        var items = Enumerable.Range(0, the.Shape.Catalog).ToArray();
        var hidden = new float[engine.HiddenSize];
        var sequenceLogits = new float[engine.SequenceWidth];
        var catalog = new float[engine.CatalogSize];
        for (var n = 0; n < sequences.Length; n++)
        {
            engine.ReadHidden(slots[n], hidden);
            Close(exact.Hidden(sequences[n]), hidden, the.Tolerance);
            // Heads are float32: held to the exact heads of the hidden state that the device has.
            var h = Array.ConvertAll(hidden, value => (double)value);
            engine.ScoreSequence(slots[n], sequenceLogits);
            Close(exact.Sequence(h), sequenceLogits, 1e-5);
            engine.ScoreCatalog(slots[n], catalog);
            Close([.. items.Select(item => exact.NextItem(h, item))], catalog, 1e-5);
            var some = items.Take(Math.Min(items.Length, 1 + (n * 9))).ToArray();
            var logits = new float[some.Length * engine.CandidateWidth];
            engine.ScoreCandidates(slots[n], some, logits);
            Close([.. some.SelectMany(item => exact.Candidate(h, item))], logits, 1e-5);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(CudaCase.Every), MemberType = typeof(CudaCase))]
    public void Engine_AloneOrInCompany_GivesTheSameBits(CudaCase the)
    {
        using var engine = the.Create(RandomModel.Create(the.Shape));
        var sequences = OperatorCases.Sequences(the.Shape, Enumerable.Range(0, 12).Select(n => 1 + (n * 3)), seed: 4);
        var company = OperatorCases.Run(engine, sequences, maxBatch: 12, seed: 5);
        var alone = OperatorCases.Run(engine, sequences, maxBatch: 1, seed: 6);
        var items = Enumerable.Range(0, the.Shape.Catalog).ToArray();
        var together = company.Select(slot => new RankQuery { Slot = slot, K = Math.Min(10, the.Shape.Catalog) }).ToArray();
        engine.Rank(together);
        var catalog = new float[items.Length];
        for (var n = 0; n < sequences.Length; n++)
        {
            Assert.Equal(Bits(Hidden(engine, company[n])), Bits(Hidden(engine, alone[n])));
            var one = new RankQuery { Slot = alone[n], K = Math.Min(10, the.Shape.Catalog) };
            engine.Rank([one]);
            Assert.Equal(together[n].Result, one.Result);
            // A ranking's scores are the catalogue's, and the candidates', bit for bit.
            engine.ScoreCatalog(company[n], catalog);
            Assert.Equal(items.Select(item => new RankedItem(item, catalog[item])).OrderByDescending(item => item.Score).ThenBy(item => item.Item).Take(one.K), one.Result);
            var all = new float[items.Length * engine.CandidateWidth];
            engine.ScoreCandidates(company[n], items, all);
            var single = new float[engine.CandidateWidth];
            engine.ScoreCandidates(alone[n], [items[^1]], single);
            Assert.Equal(Bits(all[^engine.CandidateWidth..]), Bits(single));
            var offset = the.Shape.Tasks ? 1 : 0;
            Assert.Equal(Bits(catalog), Bits([.. items.Select(item => all[(item * engine.CandidateWidth) + offset])]));
        }
    }

    [SkippableTheory]
    [MemberData(nameof(CudaCase.Every), MemberType = typeof(CudaCase))]
    public void Advance_RunsCutAnywhere_GivesTheBitsOfSteps(CudaCase the)
    {
        Skip.If(!StandIn.All && (the.Capability != "8.0" || the.Product == CudaProduct.Float32), "in ./test.sh --cuda only: it takes long");
        using var engine = the.Create(RandomModel.Create(the.Shape), AdvanceTests.Slots);
        AdvanceTests.CutRuns(engine, the.Shape);
    }

    [SkippableTheory]
    [InlineData("7.0")]
    [InlineData(null)]
    public void Engine_WeightsAtTheLimit_StaysFinite(string? capability)
    {
        foreach (var shape in new[] { new ModelShape(33, Layers: 2, BehaviorEmbedding: 3), ModelShape.Gru(33, ResetPlacement.AfterProduct, layers: 2), ModelShape.Gru(65, ResetPlacement.BeforeProduct) })
        {
            var manifest = RandomModel.Manifest(shape);
            var limit = ArtifactLimits.Default.MagnitudeOf(manifest);
            var tensors = RandomModel.Tensors(manifest, 1);
            foreach (var tensor in tensors.Values)
            {
                for (var i = 0; i < tensor.Data.Length; i++)
                    tensor.Data[i] = tensor.Data[i] < 0 ? -limit : limit;
            }

            using var engine = StandIn.Create(ModelArtifact.Create(manifest, RandomModel.Items(shape.Catalog), tensors), StandIn.Begin(capability));
            var slot = OperatorCases.Run(engine, OperatorCases.Sequences(shape, [20], 8), 1, 1)[0];
            Assert.All(Hidden(engine, slot), value => Assert.InRange(value, -1f, 1f));
            var logits = new float[shape.Catalog * engine.CandidateWidth];
            engine.ScoreCandidates(slot, [.. Enumerable.Range(0, shape.Catalog)], logits);
            Assert.All(logits, value => Assert.True(float.IsFinite(value)));
        }
    }

    [SkippableFact]
    public void Slots_Misused_Throw()
    {
        var shape = new ModelShape(7, Layers: 2);
        using var engine = StandIn.Create(RandomModel.Create(shape), StandIn.Begin(), slots: 2);
        Assert.True(engine.TryRent(out var a));
        Assert.True(engine.TryRent(out var b));
        Assert.False(engine.TryRent(out _));
        Assert.Throws<ArgumentException>(() => engine.Step([new StepEvent(a, 1, 0), new StepEvent(a, 1, 0)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => engine.Step([new StepEvent(a, 1, 0), new StepEvent(b, shape.Catalog, 0)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => engine.Step([new StepEvent(a, 1, 3)]));
        Assert.All(Hidden(engine, a), value => Assert.Equal(0, value));

        engine.Step([new StepEvent(a, 1, 0)]);
        engine.Return(a);
        Assert.Throws<InvalidOperationException>(() => engine.Return(a));
        Assert.Throws<InvalidOperationException>(() => engine.Step([new StepEvent(a, 1, 0)]));
        Assert.Throws<InvalidOperationException>(() => engine.ReadHidden(a, new float[7]));
        Assert.True(engine.TryRent(out var again));
        Assert.All(Hidden(engine, again), value => Assert.Equal(0, value));
    }

    [SkippableTheory]
    [InlineData("7.0", 64)]
    [InlineData("8.0", 64)]
    [InlineData("8.0", 130)]
    public void Graphs_OnOrOff_GiveTheSameBits(string capability, int hidden)
    {
        var model = RandomModel.Create(new ModelShape(hidden, Layers: 2));
        var options = StandIn.Begin(capability);
        var launched = StandIn.Count("graph_launches");
        using var with = StandIn.Create(model, options);
        using var without = StandIn.Create(model, options with { Graphs = false });
        var sequences = OperatorCases.Sequences(new ModelShape(hidden), Enumerable.Repeat(12, 8), seed: 3);
        var (a, b) = (OperatorCases.Run(with, sequences, 8, 1), OperatorCases.Run(without, sequences, 8, 1));
        Assert.True(StandIn.Count("graph_launches") > launched, "no graph was launched");
        for (var n = 0; n < a.Length; n++)
            Assert.Equal(Bits(Hidden(with, a[n])), Bits(Hidden(without, b[n])));
    }

    /// <summary>Warps and blocks in other orders, and a device that is late: nothing may rest on either.</summary>
    [SkippableTheory]
    [InlineData("rev", "0")]
    [InlineData("rand:7", "0")]
    [InlineData("fwd", "300")]
    public void Engine_AnyOrderAndDelay_GivesTheSameBits(string order, string delay)
    {
        foreach (var shape in new[] { new ModelShape(64, Layers: 2), ModelShape.Gru(70, ResetPlacement.BeforeProduct) })
        {
            var model = RandomModel.Create(shape);
            using var engine = StandIn.Create(model, StandIn.Begin());
            var sequences = OperatorCases.Sequences(shape, [9, 4, 1, 7], seed: 3);
            var plain = OperatorCases.Run(engine, sequences, 4, 1).Select(slot => Bits(Hidden(engine, slot))).ToArray();
            StandIn.Set("SCHED", order);
            StandIn.Set("DELAY_US", delay);
            var other = OperatorCases.Run(engine, sequences, 4, 1).Select(slot => Bits(Hidden(engine, slot))).ToArray();
            Assert.Equal(plain, other);
        }
    }

    private static float[] Hidden(CudaEngine engine, Slot slot)
    {
        var hidden = new float[engine.HiddenSize];
        engine.ReadHidden(slot, hidden);
        return hidden;
    }

    private static int[] Bits(float[] values) => [.. values.Select(BitConverter.SingleToInt32Bits)];

    private static void Close(double[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance, $"at {i}: {actual[i]} where {expected[i]} is exact");
    }
}
