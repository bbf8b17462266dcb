using GrpcRec.Engine.Models;

namespace GrpcRec.Benchmarks.Encoding;

/// <summary>Models with seeded random weights, distributed as PyTorch's initial ones: what is timed does not depend on what was learned.</summary>
public static class SyntheticModel
{
    /// <param name="items">V.</param>
    /// <param name="embedding">E.</param>
    /// <param name="hidden">H.</param>
    /// <param name="tasks">Null: next_item.</param>
    public static ModelArtifact Lstm(int items, int embedding, int hidden, int layers, int seed = 3, IReadOnlyList<TaskManifest>? tasks = null) =>
        Create(items, embedding, hidden, layers, 0, new Random(seed), (_, _) => { }, tasks);

    /// <summary>
    /// A catalogue to rank: normal item vectors, a query that is the hidden state itself, no item bias; so that another runtime is given the
    /// product and the selection alone.
    /// </summary>
    /// <param name="width">E and H.</param>
    /// <param name="categories">Each item has one of them, at random.</param>
    public static ModelArtifact Catalog(int items, int width, int categories, int seed = 3) =>
        Create(items, width, width, 1, categories, new Random(seed), (name, data) =>
        {
            if (name == ModelTensors.NextItemProjectionWeight)
            {
                Array.Clear(data);
                for (var i = 0; i < width; i++)
                    data[(i * width) + i] = 1;
            }
            else if (name is ModelTensors.NextItemBias or ModelTensors.NextItemProjectionBias)
            {
                Array.Clear(data);
            }
        });

    /// <param name="adjust">Changes the weights of a tensor.</param>
    private static ModelArtifact Create(int items, int embedding, int hidden, int layers, int categories, Random random, Action<string, float[]> adjust,
        IReadOnlyList<TaskManifest>? tasks = null)
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
            Categories = [.. Enumerable.Range(0, categories).Select(category => $"category-{category}")],
            MaxSequenceLength = 1000,
            Tasks = tasks ?? [new TaskManifest { Name = "next", Kind = TaskKind.NextItem, NeedsCandidate = true }],
            Data = new DataFingerprint(new string('0', 64), 0, 0),
        };
        var tensors = ModelTensors.Expected(manifest).ToDictionary(tensor => tensor.Key, tensor =>
        {
            var data = Weights(tensor.Key, tensor.Value, hidden, random);
            adjust(tensor.Key, data);
            return new WeightTensor(tensor.Value, data);
        });
        var catalog = new ItemCatalog([.. Enumerable.Range(0, items).Select(item => new CatalogItem($"item-{item}", 1, categories == 0 ? -1 : random.Next(categories)))]);
        return ModelArtifact.Create(manifest, catalog, tensors);
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
