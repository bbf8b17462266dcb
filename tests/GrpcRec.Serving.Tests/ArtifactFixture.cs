using GrpcRec.Engine.Models;

namespace GrpcRec.Serving.Tests;

/// <summary>Small models with random weights, written as real artefacts: enough for every kind of task, quick to load.</summary>
public static class ArtifactFixture
{
    public const int CatalogSize = 40;
    public const int MaxSequenceLength = 16;

    public static IReadOnlyList<string> Behaviors { get; } = ["view", "cart", "purchase"];

    public static IReadOnlyList<TaskManifest> AllTasks { get; } =
    [
        new() { Name = "buy", Kind = TaskKind.Binary, NeedsCandidate = true },
        new() { Name = "next", Kind = TaskKind.NextItem, NeedsCandidate = true },
        new() { Name = "action", Kind = TaskKind.Multiclass, NeedsCandidate = true, ClassNames = ["view", "cart", "purchase"] },
        new() { Name = "category", Kind = TaskKind.Multiclass, NeedsCandidate = false, ClassNames = ["a", "b"] },
    ];

    public static IReadOnlyList<string> Categories { get; } = ["shoes", "hats", "rare"];

    /// <summary>Every fourth item has none; one alone is rare.</summary>
    public static int CategoryOf(int dense) => dense == 17 ? 2 : dense % 4 == 0 ? -1 : dense % 2;

    /// <summary>"item-0" … in the order of the dense ids.</summary>
    public static string ItemId(int dense) => $"item-{dense}";

    public static ModelManifest Manifest(string name, string version, IReadOnlyList<TaskManifest>? tasks = null) => new()
    {
        FormatVersion = ModelManifest.CurrentFormat,
        Name = name,
        Version = version,
        CreatedAt = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
        Encoder = new EncoderManifest
        {
            Kind = EncoderKind.Lstm,
            EmbeddingSize = 8,
            BehaviorEmbeddingSize = 3,
            HiddenSize = 12,
            Layers = 2,
            TiedItemEmbedding = true,
            BottomSize = 6,
            TowerSize = 5,
        },
        CatalogSize = CatalogSize,
        Behaviors = Behaviors,
        Categories = Categories,
        MaxSequenceLength = MaxSequenceLength,
        Tasks = tasks ?? AllTasks,
        Data = new DataFingerprint(new string('a', 64), 1_000, 100),
        Metrics = new Dictionary<string, double> { ["hr@10"] = 0.25 },
    };

    public static ItemCatalog Items() => new([.. Enumerable.Range(0, CatalogSize).Select(i => new CatalogItem(ItemId(i), CatalogSize - i, CategoryOf(i)))]);

    public static IReadOnlyDictionary<string, WeightTensor> Weights(ModelManifest manifest, int seed)
    {
        var random = new Random(seed);
        return ModelTensors.Expected(manifest).OrderBy(tensor => tensor.Key, StringComparer.Ordinal).ToDictionary(
            tensor => tensor.Key,
            tensor => new WeightTensor(tensor.Value, [.. Enumerable.Range(0, tensor.Value.Aggregate(1, (a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f)]));
    }

    public static ModelArtifact Create(string name = "shop", string version = "v1", int seed = 1, IReadOnlyList<TaskManifest>? tasks = null)
    {
        var manifest = Manifest(name, version, tasks);
        return ModelArtifact.Create(manifest, Items(), Weights(manifest, seed));
    }

    /// <summary>Writes <c>{models}/{name}/{version}</c>.</summary>
    public static void Write(
        string models, string name = "shop", string version = "v1", int seed = 1, IReadOnlyList<TaskManifest>? tasks = null, PrecisionManifest? precision = null)
    {
        var manifest = Manifest(name, version, tasks) with { Precision = precision };
        Directory.CreateDirectory(Path.Combine(models, name));
        ModelArtifact.Write(Path.Combine(models, name, version), manifest, Items(), Weights(manifest, seed));
    }
}
