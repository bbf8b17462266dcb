using GrpcRec.Engine.Models;

namespace GrpcRec.Benchmarks.Encoding;

/// <summary>Models with seeded random weights, distributed as PyTorch's initial ones: what is timed does not depend on what was learned.</summary>
public static class SyntheticModel
{
    /// <param name="items">V.</param>
    /// <param name="embedding">E.</param>
    /// <param name="hidden">H.</param>
    public static ModelArtifact Lstm(int items, int embedding, int hidden, int layers, int seed = 3)
    {
        var manifest = new ModelManifest
        {
            FormatVersion = ModelManifest.CurrentFormat,
            Name = "synthetic",
            Version = "1",
            CreatedAt = DateTimeOffset.UnixEpoch,
            Encoder = new EncoderManifest
            {
                Kind = EncoderKind.Lstm,
                EmbeddingSize = embedding,
                BehaviorEmbeddingSize = 0,
                HiddenSize = hidden,
                Layers = layers,
                TiedItemEmbedding = true,
                BottomSize = 0,
                TowerSize = 0,
            },
            CatalogSize = items,
            Behaviors = ["view"],
            MaxSequenceLength = 1000,
            Tasks = [new TaskManifest { Name = "next", Kind = TaskKind.NextItem, NeedsCandidate = true }],
            Data = new DataFingerprint(new string('0', 64), 0, 0),
        };
        var random = new Random(seed);
        var tensors = ModelTensors.Expected(manifest).ToDictionary(tensor => tensor.Key, tensor => new WeightTensor(tensor.Value, Weights(tensor.Key, tensor.Value, hidden, random)));
        return ModelArtifact.Create(manifest, new ItemCatalog([.. Enumerable.Range(0, items).Select(item => new CatalogItem($"item-{item}", 1))]), tensors);
    }

    private static float[] Weights(string name, int[] shape, int hidden, Random random)
    {
        var data = new float[shape.Aggregate(1, (product, size) => product * size)];
        if (name is ModelTensors.ItemEmbedding or ModelTensors.NextItemBias)
        {
            for (var i = 0; i < data.Length; i++)
                data[i] = (float)Normal(random);
            return data;
        }

        var bound = 1 / Math.Sqrt(hidden);
        for (var i = 0; i < data.Length; i++)
            data[i] = (float)(((2 * random.NextDouble()) - 1) * bound);
        return data;
    }

    /// <summary>Box and Muller's.</summary>
    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
