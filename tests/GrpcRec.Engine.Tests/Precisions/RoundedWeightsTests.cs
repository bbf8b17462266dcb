using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Cpu;
using GrpcRec.Engine.Tests.Models;
using GrpcRec.Engine.Tests.Steps;

namespace GrpcRec.Engine.Tests.Precisions;

/// <summary>The reduced forms are exactly what they say: with the same rounding in the reference, no more than float32's error is left.</summary>
public sealed unsafe class RoundedWeightsTests
{
    private const double Tolerance = 1e-5;

    public static TheoryData<int, KernelPath> Cases
    {
        get
        {
            var cases = new TheoryData<int, KernelPath>();
            foreach (var hidden in new[] { 1, 16, 33, 100, 128 })
            {
                foreach (var path in KernelPaths.Every)
                    cases.Add(hidden, path);
            }

            return cases;
        }
    }

    public static TheoryData<ModelShape, KernelPath> Shapes
    {
        get
        {
            var cases = new TheoryData<ModelShape, KernelPath>();
            foreach (var path in KernelPaths.Every)
            {
                foreach (var hidden in new[] { 1, 16, 33, 100, 128 })
                    cases.Add(new ModelShape(hidden, Layers: 2, BehaviorEmbedding: 3, Tasks: false), path);
                foreach (var hidden in new[] { 1, 33, 128 })
                {
                    cases.Add(ModelShape.Gru(hidden, ResetPlacement.BeforeProduct) with { Layers = 2, BehaviorEmbedding = 3, Tasks = false }, path);
                    cases.Add(ModelShape.Gru(hidden, ResetPlacement.AfterProduct) with { Layers = 2, BehaviorEmbedding = 3, Tasks = false }, path);
                    cases.Add(ModelShape.Rnn(hidden) with { Layers = 2, BehaviorEmbedding = 3, Tasks = false }, path);
                }
            }

            return cases;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Shapes))]
    public void Bf16_OfRoundedWeights_MatchesExactArithmetic(ModelShape shape, KernelPath path)
    {
        // One row and several are two products; both must be of the rounded weights.
        Func<int, float> scaleOf = shape.Kind switch
        {
            EncoderKind.Lstm => GateActivation.Scale,
            EncoderKind.Gru => GruActivation.Scale,
            _ => _ => TanhActivation.Scale,
        };
        var manifest = RandomModel.Manifest(shape);
        var tensors = RandomModel.Tensors(manifest, 1);
        using var engine = new ReducedBackend(Precision.Bf16, path).Create(ModelArtifact.Create(manifest, RandomModel.Items(shape.Catalog), tensors));
        for (var layer = 0; layer < shape.Layers; layer++)
        {
            var weights = tensors[ModelTensors.RecurrentWeight(layer, shape.Kind)].Data;
            for (var i = 0; i < weights.Length; i++)
            {
                var scale = scaleOf(i / shape.Hidden / shape.Hidden);
                weights[i] = ToBf16(weights[i] * scale) / scale;
            }
        }

        var exact = new ExactModel(ModelArtifact.Create(manifest, RandomModel.Items(shape.Catalog), tensors));
        var sequences = OperatorCases.Sequences(shape, [1, 7, 60, 61, 62], seed: 2);
        foreach (var batch in new[] { 1, 5 })
        {
            var slots = OperatorCases.Run(engine, sequences, batch, seed: 3);
            for (var n = 0; n < slots.Length; n++)
                Close(exact.Hidden(sequences[n]), engine, slots[n]);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Int8_OfRoundedWeightsAndStates_MatchesExactArithmetic(int hidden, KernelPath path)
    {
        var shape = new ModelShape(hidden, BehaviorEmbedding: 3, Tasks: false);
        var model = RandomModel.Create(shape);
        using var engine = new ReducedBackend(Precision.Int8, path).Create(model);
        var tensors = new ExactTensors(model);
        var recurrent = model.Weights(ModelTensors.RecurrentWeight(0, EncoderKind.Lstm)).ToArray();
        var events = OperatorCases.Sequences(shape, [60], seed: 2)[0];
        Assert.True(engine.TryRent(out var slot));
        var h = new float[hidden];
        var cell = new double[hidden];
        foreach (var (item, behavior) in events)
        {
            // The state's bytes are those of the engine's own state: a rounding that its last bit decides is no error.
            var codes = Array.ConvertAll(h, value => (int)MathF.Round(value * 127f));
            double[] x = [.. tensors.Row(ModelTensors.ItemEmbedding, item, shape.Embedding), .. tensors.Row(ModelTensors.BehaviorEmbedding, behavior, 3)];
            var sums = tensors.Affine(ModelTensors.InputWeight(0, EncoderKind.Lstm), ModelTensors.Bias(0, EncoderKind.Lstm), x);
            for (var row = 0; row < sums.Length; row++)
            {
                var weights = recurrent.AsSpan(row * hidden, hidden);
                var largest = 0f;
                foreach (var weight in weights)
                    largest = MathF.Max(largest, MathF.Abs(weight));
                var sum = 0;
                for (var k = 0; k < hidden; k++)
                    sum += codes[k] * (int)Math.Round((double)weights[k] / (largest / 127));
                sums[row] += sum * (double)largest / 127 / 127;
            }

            engine.Step([new StepEvent(slot, item, behavior)]);
            engine.ReadHidden(slot, h);
            for (var u = 0; u < hidden; u++)
            {
                cell[u] = (Sigmoid(sums[hidden + u]) * cell[u]) + (Sigmoid(sums[u]) * Math.Tanh(sums[(2 * hidden) + u]));
                Assert.Equal(Sigmoid(sums[(3 * hidden) + u]) * Math.Tanh(cell[u]), h[u], Tolerance);
            }
        }
    }

    [SkippableTheory]
    [MemberData(nameof(KernelPaths.All), MemberType = typeof(KernelPaths))]
    public void Quantise_WholeRange_RoundsToTheNearestStep(KernelPath path)
    {
        var kernel = KernelPaths.Kernel(path).Reduced;
        var h = stackalloc float[16];
        var codes = stackalloc byte[16];
        for (var n = 0; n <= 200_000; n += 16)
        {
            for (var j = 0; j < 16; j++)
                h[j] = Math.Clamp(((n + j) / 100_000f) - 1, -1, 1);
            kernel.Quantise(h, codes, 16);
            for (var j = 0; j < 16; j++)
                Assert.Equal((int)MathF.Round(h[j] * 127f) + 128, codes[j]);
        }
    }

    private static float ToBf16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        uint down = bits & 0xFFFF0000, up = down + 0x10000;
        double below = Math.Abs((double)value - BitConverter.UInt32BitsToSingle(down)), above = Math.Abs((double)value - BitConverter.UInt32BitsToSingle(up));
        return BitConverter.UInt32BitsToSingle(above < below || (above == below && (down & 0x10000) != 0) ? up : down);
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private static void Close(double[] expected, IStepEngine engine, Slot slot)
    {
        var hidden = new float[expected.Length];
        engine.ReadHidden(slot, hidden);
        for (var i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], hidden[i], Tolerance);
    }
}
