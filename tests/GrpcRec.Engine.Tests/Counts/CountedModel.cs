using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Tests.Counts;

/// <summary>Random models of kind counts. Few different weights and popularities, so that scores are often equal.</summary>
internal static class CountedModel
{
    public static readonly TaskManifest Next = new() { Name = "next", Kind = TaskKind.NextItem, NeedsCandidate = true };
    public static readonly TaskManifest Click = new() { Name = "click", Kind = TaskKind.Binary, NeedsCandidate = true, ItemBias = true };

    /// <param name="rows">Neighbours of each item and their weights.</param>
    public static ModelManifest Manifest((int Item, float Weight)[][] rows, int reach, double decay, int categories = 2, params TaskManifest[] tasks) => new()
    {
        FormatVersion = ModelManifest.CurrentFormat,
        Name = "counted",
        Version = "1",
        CreatedAt = DateTimeOffset.UnixEpoch,
        Encoder = new EncoderManifest
        {
            Kind = EncoderKind.Counts, HiddenSize = reach, GateOrder = "", EmbeddingSize = 0, BehaviorEmbeddingSize = 0, Layers = 0,
            TiedItemEmbedding = false, BottomSize = 0, TowerSize = 0, Counts = new CountsManifest { Decay = decay, Neighbours = rows.Sum(row => row.Length) },
        },
        CatalogSize = rows.Length,
        Behaviors = ["view", "buy"],
        Categories = [.. Enumerable.Range(0, categories).Select(n => $"c{n}")],
        MaxSequenceLength = 50,
        Tasks = tasks.Length == 0 ? [Next] : tasks,
        Data = new DataFingerprint(new string('0', 64), 10, 2),
    };

    public static Dictionary<string, WeightTensor> Tensors((int Item, float Weight)[][] rows, Random random, params TaskManifest[] tasks)
    {
        var tensors = tasks.Where(task => task.Kind == TaskKind.Binary).ToDictionary(
            task => ModelTensors.TaskItemBias(task.Name), _ => new WeightTensor([rows.Length], [.. rows.Select(_ => (random.NextSingle() * 4) - 2)]));
        float[] weights = [.. rows.SelectMany(row => row.Select(pair => pair.Weight))];
        if (weights.Length > 0)
            tensors[CountsManifest.NeighbourWeight] = new WeightTensor([weights.Length], weights);
        return tensors;
    }

    public static Dictionary<string, IndexTensor> Indices((int Item, float Weight)[][] rows)
    {
        int[] items = [.. rows.SelectMany(row => row.Select(pair => pair.Item))];
        var offsets = new int[rows.Length + 1];
        for (var item = 0; item < rows.Length; item++)
            offsets[item + 1] = offsets[item] + rows[item].Length;
        return items.Length == 0 ? [] : new()
        {
            [CountsManifest.NeighbourOffset] = new IndexTensor([offsets.Length], offsets),
            [CountsManifest.NeighbourItem] = new IndexTensor([items.Length], items),
        };
    }

    public static ItemCatalog Items(int count, int categories, Random random) => new(
        [.. Enumerable.Range(0, count).Select(item => new CatalogItem($"item-{item}", random.Next(count < 100 ? 4 : 1_000), categories == 0 ? -1 : random.Next(-1, categories)))]);

    /// <summary>Rows of 0 to 12 different items, and now and then a long one.</summary>
    public static (int Item, float Weight)[][] Rows(int catalog, Random random)
    {
        var rows = new (int, float)[catalog][];
        for (var item = 0; item < catalog; item++)
        {
            var wanted = random.Next(10) == 0 ? random.Next(catalog + 1) : random.Next(13);
            rows[item] = [.. Enumerable.Range(0, wanted).Select(_ => random.Next(catalog)).Distinct().Select(neighbour => (neighbour, (1 + random.Next(3)) / 4f))];
        }

        return rows;
    }

    public static ModelArtifact Create((int Item, float Weight)[][] rows, int reach, double decay, int categories, Random random, params TaskManifest[] tasks) =>
        ModelArtifact.Create(
            Manifest(rows, reach, decay, categories, tasks), Items(rows.Length, categories, random), Tensors(rows, random, tasks), indices: Indices(rows));
}
