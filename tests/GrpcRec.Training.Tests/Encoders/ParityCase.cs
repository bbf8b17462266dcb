using System.Runtime.Intrinsics.X86;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Training.Tests.Encoders;

/// <summary>
/// A random model of the family with random events. Every hundredth is of the longest sequence, every hundredth of the widest state. Weights:
/// embeddings and input weights from so small that nothing happens to so large that every gate saturates. Recurrent weights stay where the
/// state does not amplify rounding errors from step to step: past that two correct programs rightly differ.
/// </summary>
internal sealed class ParityCase
{
    private readonly Random _random;

    public ParityCase(int seed)
    {
        _random = new Random(seed);
        Seed = seed;
        var kind = (EncoderKind)_random.Next(6);
        var hidden = seed % 100 == 1 ? 200 : _random.NextDouble() < 0.8 ? _random.Next(1, 41) : _random.Next(41, 129);
        var length = seed % 100 == 0 ? 500 : (int)Math.Exp(_random.NextDouble() * Math.Log(hidden > 64 ? 60 : 200));
        var embedding = _random.Next(1, hidden > 64 ? 100 : 33);
        var behaviorEmbedding = _random.Next(2) * _random.Next(1, 9);
        var layers = kind == EncoderKind.Cnn ? 1 : _random.Next(1, 4);
        var window = kind == EncoderKind.Cnn ? _random.Next(1, 20) : 0;
        int[] heights = [.. Enumerable.Range(1, window).Where(height => height == window || _random.Next(4) == 0)];
        Scales = (Pick(1e-4, 1, 1, 6), Pick(1e-3, 1, 1, 25), Pick(0.01, 1, 1, 1.4), Pick(0.1, 1, 1, 4));
        Manifest = new ModelManifest
        {
            FormatVersion = ModelManifest.CurrentFormat,
            Name = "parity",
            Version = "1",
            CreatedAt = DateTimeOffset.UnixEpoch,
            Encoder = new EncoderManifest
            {
                Kind = kind,
                EmbeddingSize = embedding,
                BehaviorEmbeddingSize = behaviorEmbedding,
                HiddenSize = hidden,
                Layers = layers,
                GateOrder = EncoderManifest.GateOrderOf(kind),
                ResetPlacement = kind == EncoderKind.Gru ? Pick(ResetPlacement.BeforeProduct, ResetPlacement.AfterProduct) : ResetPlacement.None,
                WindowLength = window,
                FilterHeights = heights,
                HorizontalFilters = kind == EncoderKind.Cnn ? _random.Next(1, 9) : 0,
                VerticalFilters = kind == EncoderKind.Cnn ? _random.Next(4) : 0,
                TiedItemEmbedding = _random.Next(2) == 0,
                BottomSize = _random.Next(1, 50),
                TowerSize = _random.Next(2) * _random.Next(1, 20),
                Trunk = Trunk(),
            },
            CatalogSize = _random.Next(1, 80),
            Behaviors = ["view", "click", "buy"],
            MaxSequenceLength = 500,
            Tasks =
            [
                new TaskManifest { Name = "click", Kind = TaskKind.Binary, NeedsCandidate = true },
                new TaskManifest { Name = "next", Kind = TaskKind.NextItem, NeedsCandidate = true },
                new TaskManifest { Name = "stars", Kind = TaskKind.Multiclass, NeedsCandidate = true, ClassNames = ["1", "2", "3"] },
                new TaskManifest { Name = "leaves", Kind = TaskKind.Binary, NeedsCandidate = false },
            ],
            Data = new DataFingerprint(new string('0', 64), 1, 1),
        };
        Artifact = ModelArtifact.Create(
            Manifest, new ItemCatalog([.. Enumerable.Range(0, Manifest.CatalogSize).Select(item => new CatalogItem($"{item}", 1, -1))]), Tensors());
        Items = [.. Enumerable.Range(0, length).Select(_ => _random.Next(Manifest.CatalogSize))];
        Behaviors = [.. Enumerable.Range(0, length).Select(_ => _random.Next(3))];
        Cut = _random.Next(length + 1);
        Engine = new EngineOptions
        {
            Kind = _random.Next(6) == 0 ? EngineKind.Scalar : EngineKind.Cpu,
            Path = Pick(KernelPath.Auto, Fma.IsSupported && Avx2.IsSupported ? KernelPath.Avx2 : KernelPath.Auto, KernelPath.Portable),
            GateTableBudgetBytes = Pick(0L, 512L << 20),
            SlotCapacity = 2,
        };
    }

    public int Seed { get; }

    public ModelManifest Manifest { get; }

    public ModelArtifact Artifact { get; }

    /// <summary>[T] dense ids.</summary>
    public int[] Items { get; }

    /// <summary>[T].</summary>
    public int[] Behaviors { get; }

    /// <summary>Events of the first of the two runs that the sequence is cut into.</summary>
    public int Cut { get; }

    public EngineOptions Engine { get; }

    /// <summary>Sizes of embeddings, input weights, recurrent weights, heads.</summary>
    public (double Embedding, double Input, double Recurrent, double Head) Scales { get; }

    /// <summary>Absolute sum of the terms of a sum that an activation follows, at most.</summary>
    public double Terms
    {
        get
        {
            var encoder = Manifest.Encoder;
            var x = Math.Max(Largest(ModelTensors.ItemEmbedding), encoder.BehaviorEmbeddingSize > 0 ? Largest(ModelTensors.BehaviorEmbedding) : 0);
            switch (encoder.Kind)
            {
                case EncoderKind.Bag:
                    return Enumerable.Range(0, encoder.Layers).Aggregate(x, (input, layer) => Affine(ModelTensors.BagWeight(layer), ModelTensors.BagBias(layer), input));
                case EncoderKind.Cnn:
                    var features = encoder.FilterHeights.Select(height => Affine(ModelTensors.HorizontalWeight(height), ModelTensors.HorizontalBias(height), x));
                    if (encoder.VerticalFilters > 0)
                        features = features.Append(Rows(ModelTensors.VerticalWeight) * x);
                    return Affine(ModelTensors.ConvolutionOutputWeight, ModelTensors.ConvolutionOutputBias, features.Max());
                default:
                    return Enumerable.Range(0, encoder.Layers).Max(layer =>
                        Affine(ModelTensors.InputWeight(layer, encoder.Kind), ModelTensors.Bias(layer, encoder.Kind), layer == 0 ? x : 1)
                        + (encoder.Kind == EncoderKind.MinGru ? 0 : Rows(ModelTensors.RecurrentWeight(layer, encoder.Kind))));
            }
        }
    }

    public override string ToString()
    {
        var e = Manifest.Encoder;
        return $"seed {Seed}: {e.Kind} {e.ResetPlacement} H{e.HiddenSize} L{e.Layers} E{e.EmbeddingSize} Eb{e.BehaviorEmbeddingSize} window {e.WindowLength}, "
            + $"{e.Trunk.Kind} {e.Trunk.SharedExperts}+{e.Trunk.TaskExperts} S{e.BottomSize} D{e.TowerSize}, T{Items.Length}, scales {Scales}, {Engine.Kind} {Engine.Path} {Engine.GateTableBudgetBytes >> 20} MiB";
    }

    private double Affine(string weight, string bias, double input) => (Rows(weight) * input) + Largest(bias);

    /// <summary>The largest absolute sum of a row.</summary>
    private double Rows(string tensor)
    {
        var values = Artifact.Weights(tensor).ToArray();
        var width = values.Length / ModelTensors.Expected(Manifest)[tensor][0];
        return values.Chunk(width).Max(row => row.Sum(value => (double)Math.Abs(value)));
    }

    private double Largest(string tensor) => Artifact.Weights(tensor).ToArray().Max(Math.Abs);

    private TrunkManifest Trunk()
    {
        var kind = (TrunkKind)_random.Next(5);
        return new TrunkManifest
        {
            Kind = kind,
            SharedExperts = kind == TrunkKind.SharedBottom ? 0 : _random.Next(1, 5),
            TaskExperts = kind is TrunkKind.Cgc or TrunkKind.Ple or TrunkKind.Stem ? _random.Next(1, 5) : 0,
            Levels = kind == TrunkKind.Ple ? _random.Next(1, 3) : 1,
        };
    }

    private Dictionary<string, WeightTensor> Tensors() => ModelTensors.Expected(Manifest).ToDictionary(tensor => tensor.Key, tensor =>
    {
        var (name, shape) = tensor;
        var depth = shape.Skip(1).Aggregate(1, (product, size) => product * size);
        var isHead = name.StartsWith("next_item", StringComparison.Ordinal) || name.StartsWith("bottom", StringComparison.Ordinal)
            || name.StartsWith("trunk", StringComparison.Ordinal) || name.StartsWith("task", StringComparison.Ordinal);
        var scale = name.EndsWith("embedding", StringComparison.Ordinal) ? Scales.Embedding
            : isHead ? Scales.Head / Math.Sqrt(depth)
            : name.EndsWith("weight_hh", StringComparison.Ordinal) ? Scales.Recurrent / Math.Sqrt(depth)
            : Scales.Input / Math.Sqrt(depth);
        var data = new float[shape.Aggregate(1, (product, size) => product * size)];
        for (var i = 0; i < data.Length; i++)
            data[i] = (float)(((_random.NextDouble() * 2) - 1) * scale);
        return new WeightTensor(shape, data);
    });

    private T Pick<T>(params ReadOnlySpan<T> choices) => choices[_random.Next(choices.Length)];
}
