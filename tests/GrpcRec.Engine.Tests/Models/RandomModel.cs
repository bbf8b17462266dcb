using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Tests.Models;

/// <summary>A shape to make a random model of.</summary>
public sealed record ModelShape(
    int Hidden, int Layers = 1, int Embedding = 12, int BehaviorEmbedding = 0, bool Tied = true, int Bottom = 10, int Tower = 6, int Catalog = 150, bool Tasks = true,
    EncoderKind Kind = EncoderKind.Lstm, ResetPlacement Reset = ResetPlacement.None, TrunkKind Trunk = TrunkKind.SharedBottom, int Experts = 0)
{
    /// <summary>cnn: events that the filters see.</summary>
    public int Window { get; init; }

    /// <summary>cnn: ascending.</summary>
    public IReadOnlyList<int> Heights { get; init; } = [];

    /// <summary>cnn: horizontal filters of each height, and vertical ones.</summary>
    public (int Horizontal, int Vertical) Filters { get; init; }

    public static ModelShape Gru(int hidden, ResetPlacement reset, int layers = 1) => new(hidden, layers, Kind: EncoderKind.Gru, Reset: reset);

    public static ModelShape Rnn(int hidden, int layers = 1) => new(hidden, layers, Kind: EncoderKind.Rnn);

    public static ModelShape Bag(int hidden, int layers = 1) => new(hidden, layers, Kind: EncoderKind.Bag);

    public static ModelShape Cnn(int hidden, int window, int filters, int vertical, params int[] heights) =>
        new(hidden, Kind: EncoderKind.Cnn) { Window = window, Heights = heights, Filters = (filters, vertical) };

    public static ModelShape MinGru(int hidden, int layers = 1) => new(hidden, layers, Kind: EncoderKind.MinGru);

    /// <summary>Two further tasks: one that needs click first, and a regression.</summary>
    public bool Chain { get; init; }

    /// <summary>An event feature of every source.</summary>
    public bool Events { get; init; }

    /// <summary>Two request features, and terms of the items in the first task and in one that needs it first.</summary>
    public bool Requests { get; init; }

    /// <summary>A memory of items.</summary>
    public bool Memory { get; init; }

    /// <summary>Terms of repeated items, in a model that reads ten events.</summary>
    public bool Repeats { get; init; }

    /// <summary>Recurrent kinds begin at a zero state and read items through tables.</summary>
    public bool IsRecurrent => Kind is EncoderKind.Lstm or EncoderKind.Gru or EncoderKind.Rnn or EncoderKind.MinGru;

    public override string ToString() =>
        $"{Kind}{(Kind == EncoderKind.Gru ? $" {Reset}" : "")}{(Window > 0 ? $" {Window}/{string.Join(',', Heights)}x{Filters}" : "")} H{Hidden} L{Layers} E{Embedding} Eb{BehaviorEmbedding} {(Tied ? "tied" : "untied")} S{Bottom} D{Tower} V{Catalog}{(Tasks ? "" : " next only")}{(Chain ? " chained" : "")}{(Events ? " event features" : "")}{(Requests ? " request features" : "")}{(Repeats ? " repeats" : "")}{(Memory ? " memory" : "")}{(Experts > 0 ? $" {Trunk} {Experts}" : "")}";
}

/// <summary>Models with seeded random weights, of a size at which gates neither saturate nor vanish.</summary>
public static class RandomModel
{
    public static ModelManifest Manifest(ModelShape shape) => new()
    {
        FormatVersion = ModelManifest.CurrentFormat,
        Name = "random",
        Version = "1",
        CreatedAt = DateTimeOffset.UnixEpoch,
        Encoder = new EncoderManifest
        {
            Kind = shape.Kind,
            GateOrder = EncoderManifest.GateOrderOf(shape.Kind),
            ResetPlacement = shape.Reset,
            WindowLength = shape.Window,
            FilterHeights = shape.Heights,
            HorizontalFilters = shape.Filters.Horizontal,
            VerticalFilters = shape.Filters.Vertical,
            Trunk = new TrunkManifest
            {
                Kind = shape.Trunk,
                SharedExperts = shape.Experts,
                TaskExperts = shape.Trunk is TrunkKind.Cgc or TrunkKind.Ple or TrunkKind.Stem ? (shape.Experts + 1) / 2 : 0,
                Levels = shape.Trunk == TrunkKind.Ple ? 2 : 1,
            },
            EmbeddingSize = shape.Embedding,
            BehaviorEmbeddingSize = shape.BehaviorEmbedding,
            HiddenSize = shape.Hidden,
            Layers = shape.Layers,
            TiedItemEmbedding = shape.Tied,
            BottomSize = shape.Tasks ? shape.Bottom : 0,
            TowerSize = shape.Tasks ? shape.Tower : 0,
        },
        CatalogSize = shape.Catalog,
        Behaviors = ["view", "click", "buy"],
        Categories = ["a", "b"],
        MaxSequenceLength = shape.Repeats ? 10 : 300,
        EventFeatures = shape.Events ? EventFeatures : [],
        RequestFeatures = shape.Requests ? RequestFeatures : [],
        Tasks = shape.Tasks
            ?
            [
                new TaskManifest { Name = "click", Kind = TaskKind.Binary, NeedsCandidate = true, ItemBias = shape.Requests },
                new TaskManifest { Name = "next", Kind = TaskKind.NextItem, NeedsCandidate = true, RepeatTerms = shape.Repeats, ItemMemory = shape.Memory },
                new TaskManifest { Name = "stars", Kind = TaskKind.Multiclass, NeedsCandidate = true, ClassNames = ["1", "2", "3"] },
                new TaskManifest { Name = "leaves", Kind = TaskKind.Binary, NeedsCandidate = false },
                new TaskManifest { Name = "category", Kind = TaskKind.Multiclass, NeedsCandidate = false, ClassNames = ["a", "b"] },
                .. shape.Chain ? ChainTasks.Select(task => task with { ItemBias = shape.Requests && task.Name == "buy" }) : [],
            ]
            : [new TaskManifest { Name = "next", Kind = TaskKind.NextItem, NeedsCandidate = true, RepeatTerms = shape.Repeats, ItemMemory = shape.Memory }],
        Data = new DataFingerprint(new string('0', 64), 10, 2),
        Metrics = new Dictionary<string, double> { ["hr@10"] = 0.25 },
    };

    // Those of the items stand first among an event's columns whatever their place here.
    private static readonly EventFeatureManifest[] EventFeatures =
    [
        new() { Name = "tab", Source = FeatureSource.Context, EmbeddingSize = 3, Values = ["home", "search"] },
        new() { Name = "shelf", Source = FeatureSource.ItemCategory, EmbeddingSize = 2 },
        new() { Name = "gap", Source = FeatureSource.TimeGap, EmbeddingSize = 1, Boundaries = [1_000, 60_000] },
        new() { Name = "watched", Source = FeatureSource.Value, EmbeddingSize = 2, Boundaries = [0.5] },
    ];

    private static readonly RequestFeatureManifest[] RequestFeatures =
    [
        new() { Name = "tab", EmbeddingSize = 4, Values = ["home", "search"] },
        new() { Name = "age", EmbeddingSize = 3, Values = ["young", "old", "older"] },
    ];

    private static readonly TaskManifest[] ChainTasks =
    [
        new() { Name = "buy", Kind = TaskKind.Binary, NeedsCandidate = true, Given = "click" },
        new() { Name = "return", Kind = TaskKind.Binary, NeedsCandidate = true, Given = "buy" },
        new() { Name = "price", Kind = TaskKind.Regression, NeedsCandidate = true, Offset = 12.5, Scale = 3 },
    ];

    public static ItemCatalog Items(int count) => new([.. Enumerable.Range(0, count).Select(i => new CatalogItem($"item-{i}", count - i, (i % 3) - 1))]);

    public static Dictionary<string, WeightTensor> Tensors(ModelManifest manifest, int seed)
    {
        var random = new Random(seed);
        return ModelTensors.Expected(manifest).ToDictionary(tensor => tensor.Key, tensor =>
        {
            // Weights of a row of K inputs are of the order 1/√K, as training begins with; embeddings and biases of the order ½.
            var scale = tensor.Value.Length == 2 && !tensor.Key.EndsWith("embedding", StringComparison.Ordinal) ? 2 / Math.Sqrt(tensor.Value[1]) : 1;
            var data = new float[tensor.Value.Aggregate(1, (product, size) => product * size)];
            for (var i = 0; i < data.Length; i++)
                data[i] = (float)((random.NextDouble() - 0.5) * scale);
            return new WeightTensor(tensor.Value, data);
        });
    }

    public static ModelArtifact Create(ModelShape shape, int seed = 1)
    {
        var manifest = Manifest(shape);
        return ModelArtifact.Create(manifest, Items(shape.Catalog), Tensors(manifest, seed));
    }
}
