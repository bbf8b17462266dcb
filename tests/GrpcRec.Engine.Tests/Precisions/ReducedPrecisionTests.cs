using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Cpu;
using GrpcRec.Engine.Tests.Models;
using GrpcRec.Engine.Tests.Steps;

namespace GrpcRec.Engine.Tests.Precisions;

/// <summary>The operator table's recurrent encoders in bf16 and int8.</summary>
public sealed class ReducedPrecisionTests
{
    // Rounding to b steps of a range r is an error of r/(2b) at most, r/(b·√12) in the mean. A sum of H products of weights up to 1/√H
    // then errs by about 1/(127·√36) for the states' rounding and a third of that for the weights': 1.4e-3 in int8; in bf16, whose weights
    // err by 2⁻⁹ of themselves at most, 2e-4. A gate passes on at most ¼ of its sum's error, tanh all of it; the cell sums errors over a few
    // steps, a layer above adds its own. Extremes of 4σ over many units: an allowance of five to seven such errors. The largest on
    // these models is 3.4e-3 and 2.2e-4.
    // An Elman network has no gate that holds an error back: what a step errs goes whole into the next. Three times the allowance.
    private static double Bound(Precision precision, EncoderKind kind) =>
        (precision == Precision.Int8 ? 1e-2 : 1e-3) * (kind == EncoderKind.Rnn ? 3 : 1);

    /// <summary>What the heads add in float32, as in the operator table.</summary>
    private const double HeadBound = 1e-5;

    public static TheoryData<ModelShape, ReducedBackend> Cases
    {
        get
        {
            var cases = new TheoryData<ModelShape, ReducedBackend>();
            foreach (var shape in new[] { EncoderKind.Lstm, EncoderKind.Gru, EncoderKind.Rnn }.SelectMany(OperatorCases.OfKind))
            {
                foreach (var backend in ReducedBackend.All)
                    cases.Add(shape, backend);
            }

            return cases;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Step_RaggedBatches_StaysNearExactArithmetic(ModelShape shape, ReducedBackend backend)
    {
        var model = RandomModel.Create(shape);
        using var engine = backend.Create(model);
        Assert.Equal(backend.Precision, engine.Precision);
        var exact = new ExactModel(model);
        var sequences = OperatorCases.Sequences(shape, OperatorCases.EdgeLengths, seed: 2);
        var slots = OperatorCases.Run(engine, sequences, maxBatch: 20, seed: 3);
        var catalog = new float[engine.CatalogSize];
        var worst = 0.0;
        for (var n = 0; n < sequences.Length; n++)
        {
            var expected = exact.Hidden(sequences[n]);
            var hidden = Hidden(engine, slots[n]);
            worst = Math.Max(worst, expected.Zip(hidden, (a, b) => Math.Abs(a - b)).Max());

            // The heads read the reduced state in float32.
            engine.ScoreCatalog(slots[n], catalog);
            var state = Array.ConvertAll(hidden, value => (double)value);
            for (var item = 0; item < catalog.Length; item++)
                Assert.Equal(exact.NextItem(state, item), catalog[item], HeadBound);
        }

        // The lower bound: the reduced form is the one that ran.
        Assert.InRange(worst, shape.Hidden >= 16 ? 1e-5 : 0, Bound(backend.Precision, shape.Kind));
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Engine_AloneOrInCompany_GivesTheSameBits(ModelShape shape, ReducedBackend backend)
    {
        using var engine = backend.Create(RandomModel.Create(shape));
        var sequences = OperatorCases.Sequences(shape, Enumerable.Range(0, 20).Select(n => 1 + (n * 3)), seed: 4);
        var company = OperatorCases.Run(engine, sequences, maxBatch: 20, seed: 5);
        var alone = OperatorCases.Run(engine, sequences, maxBatch: 1, seed: 6);
        for (var n = 0; n < sequences.Length; n++)
            Assert.Equal(Bits(Hidden(engine, company[n])), Bits(Hidden(engine, alone[n])));
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Advance_RunsCutAnywhere_GivesTheBitsOfSteps(ModelShape shape, ReducedBackend backend)
    {
        using var engine = backend.Create(RandomModel.Create(shape), AdvanceTests.Slots);
        AdvanceTests.CutRuns(engine, shape);
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Advance_Warm_AllocatesNothing(ModelShape shape, ReducedBackend backend)
    {
        using var engine = backend.Create(RandomModel.Create(shape));
        var runs = Enumerable.Range(0, 60).Select(n => new EventRun(engine.TryRent(out var slot) ? slot : default, n, n % 40)).ToArray();
        var items = new int[100];
        var behaviors = new int[100];
        engine.Advance(runs, items, behaviors);
        // The best of a few: the runtime itself allocates now and then, when it compiles a hot method anew.
        var least = long.MaxValue;
        for (var round = 0; round < 5; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            engine.Advance(runs, items, behaviors);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Engine_WeightsAtTheLimit_StaysFinite(ModelShape shape, ReducedBackend backend)
    {
        var manifest = RandomModel.Manifest(shape);
        var tensors = RandomModel.Tensors(manifest, 1);
        foreach (var value in tensors.Values.Select(tensor => tensor.Data))
        {
            for (var i = 0; i < value.Length; i++)
                value[i] = value[i] < 0 ? -1e4f : 1e4f;
        }

        using var engine = backend.Create(ModelArtifact.Create(manifest, RandomModel.Items(shape.Catalog), tensors));
        var slot = OperatorCases.Run(engine, OperatorCases.Sequences(shape, [257], 8), 1, 1)[0];
        Assert.All(Hidden(engine, slot), value => Assert.InRange(value, -1f, 1f));
    }

    [Fact]
    public void Create_WeightsOfZero_StayZero()
    {
        // A column without weights has no scale to divide by.
        var shape = new ModelShape(20, Tasks: false);
        var manifest = RandomModel.Manifest(shape);
        var tensors = RandomModel.Tensors(manifest, 1);
        foreach (var tensor in tensors.Values)
            tensor.Data.AsSpan().Clear();
        var model = ModelArtifact.Create(manifest, RandomModel.Items(shape.Catalog), tensors);
        foreach (var precision in new[] { Precision.Bf16, Precision.Int8 })
        {
            using var engine = new ReducedBackend(precision, KernelPath.Auto).Create(model);
            var slot = OperatorCases.Run(engine, OperatorCases.Sequences(shape, [9], 8), 1, 1)[0];
            Assert.All(Hidden(engine, slot), value => Assert.Equal(0f, value));
        }
    }

    [Fact]
    public void Create_PrecisionInTheManifest_RunsInIt()
    {
        var shape = new ModelShape(20);
        var manifest = RandomModel.Manifest(shape) with { Precision = new PrecisionManifest(Precision.Int8, "ndcg@10", 0.2, 0.199, 0.005) };
        var model = ModelArtifact.Create(manifest, RandomModel.Items(shape.Catalog), RandomModel.Tensors(manifest, 1));
        using var stated = StepEngineFactory.Create(model, new EngineOptions { Kind = EngineKind.Cpu });
        Assert.Equal(Precision.Int8, stated.Precision);
        using var overridden = StepEngineFactory.Create(model, new EngineOptions { Kind = EngineKind.Cpu, Precision = Precision.Float32 });
        Assert.Equal(Precision.Float32, overridden.Precision);
        using var scalar = StepEngineFactory.Create(model, new EngineOptions { Kind = EngineKind.Scalar });
        Assert.Equal(Precision.Float32, scalar.Precision);
    }

    [Fact]
    public void Create_KindWithoutReducedForm_IsRefusedByName()
    {
        var options = new EngineOptions { Kind = EngineKind.Cpu, Precision = Precision.Int8 };
        foreach (var shape in new[] { ModelShape.Bag(8), ModelShape.Cnn(8, 3, 2, 0, 2) })
        {
            var refusal = Assert.Throws<EngineException>(() => StepEngineFactory.Create(RandomModel.Create(shape), options));
            Assert.Contains($"{shape.Kind} in precision Int8", refusal.Message, StringComparison.Ordinal);
            var manifest = RandomModel.Manifest(shape) with { Precision = new PrecisionManifest(Precision.Bf16, "ndcg@10", 0.2, 0.2, 0.005) };
            var damaged = Assert.Throws<ArtifactException>(() => ModelArtifact.Create(manifest, RandomModel.Items(shape.Catalog), RandomModel.Tensors(manifest, 1)));
            Assert.Contains("precision.precision", damaged.Message, StringComparison.Ordinal);
        }

        var scalar = Assert.Throws<EngineException>(() => StepEngineFactory.Create(RandomModel.Create(new ModelShape(8)), options with { Kind = EngineKind.Scalar }));
        Assert.Contains("Kind Cpu", scalar.Message, StringComparison.Ordinal);
    }

    private static float[] Hidden(IStepEngine engine, Slot slot)
    {
        var hidden = new float[engine.HiddenSize];
        engine.ReadHidden(slot, hidden);
        return hidden;
    }

    private static int[] Bits(float[] values) => [.. values.Select(BitConverter.SingleToInt32Bits)];
}
