using System.Text.Json.Serialization;

namespace GrpcRec.Engine.Models;

/// <summary>What a model artefact says of itself: <c>manifest.json</c>, written once and never changed.</summary>
public sealed record ModelManifest
{
    /// <summary>Format that this build reads and writes.</summary>
    public const int CurrentFormat = 1;

    public required int FormatVersion { get; init; }
    public required string Name { get; init; }
    public required string Version { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required EncoderManifest Encoder { get; init; }

    /// <summary>Items, V. Dense item ids are 0…V-1, in the order of <c>items.jsonl</c>.</summary>
    public required int CatalogSize { get; init; }

    /// <summary>Names of the behaviours, by dense id. The first is the default.</summary>
    public required IReadOnlyList<string> Behaviors { get; init; }

    /// <summary>Names of the item categories, by dense id. Empty when items have none.</summary>
    public IReadOnlyList<string> Categories { get; init; } = [];

    /// <summary>Events that the model reads at most: the last ones.</summary>
    public required int MaxSequenceLength { get; init; }

    /// <summary>Tasks, in the order in which predictions are given. At most one is next_item.</summary>
    public required IReadOnlyList<TaskManifest> Tasks { get; init; }

    /// <summary>Hash of the training events and counts, so that two models can be told to have seen the same data.</summary>
    public required DataFingerprint Data { get; init; }

    public long ParameterCount { get; init; }

    /// <summary>Metrics on the test split, for example <c>hr@10</c>, <c>auc/click</c>.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>The same of the baselines, by <c>baseline/metric</c>.</summary>
    public IReadOnlyDictionary<string, double> BaselineMetrics { get; init; } = new Dictionary<string, double>();

    /// <summary>Size and SHA-256 of every other file of the artefact, by file name.</summary>
    public IReadOnlyDictionary<string, FileDigest> Files { get; init; } = new Dictionary<string, FileDigest>();
}

/// <summary>The shared representation. LSTM equations and gate order (i, f, g, o) as in PyTorch's <c>nn.LSTM</c>.</summary>
public sealed record EncoderManifest
{
    public required EncoderKind Kind { get; init; }

    /// <summary>E, width of the item embedding.</summary>
    public required int EmbeddingSize { get; init; }

    /// <summary>Width of the behaviour embedding; it is concatenated after the item's. 0: the model does not read behaviours.</summary>
    public required int BehaviorEmbeddingSize { get; init; }

    /// <summary>H, width of the hidden state of every layer.</summary>
    public required int HiddenSize { get; init; }

    public required int Layers { get; init; }

    /// <summary>Order of the gates in the rows of the recurrent weights.</summary>
    public string GateOrder { get; init; } = "ifgo";

    /// <summary>The output item embedding is the input's.</summary>
    public required bool TiedItemEmbedding { get; init; }

    /// <summary>S, width of the bottom that the candidate tasks share. 0 when there is no such task.</summary>
    public required int BottomSize { get; init; }

    /// <summary>D, width of each task tower's hidden layer. 0: the tower is one linear layer.</summary>
    public required int TowerSize { get; init; }
}

[JsonConverter(typeof(JsonStringEnumConverter<EncoderKind>))]
public enum EncoderKind
{
    [JsonStringEnumMemberName("lstm")] Lstm,
}

[JsonConverter(typeof(JsonStringEnumConverter<TaskKind>))]
public enum TaskKind
{
    [JsonStringEnumMemberName("binary")] Binary,
    [JsonStringEnumMemberName("multiclass")] Multiclass,
    [JsonStringEnumMemberName("next_item")] NextItem,
}

/// <summary>One task head.</summary>
public sealed record TaskManifest
{
    public required string Name { get; init; }
    public required TaskKind Kind { get; init; }

    /// <summary>True: the head reads the sequence and a candidate item. False: the sequence alone. next_item: always true.</summary>
    public required bool NeedsCandidate { get; init; }

    /// <summary>multiclass: names of the classes. Empty otherwise.</summary>
    public IReadOnlyList<string> ClassNames { get; init; } = [];

    /// <summary>Logits that the head gives: 1, or the number of classes.</summary>
    [JsonIgnore]
    public int OutputWidth => Kind == TaskKind.Multiclass ? ClassNames.Count : 1;
}

/// <param name="Sha256">Of the cleaned events in their canonical order, lower-case hex.</param>
public sealed record DataFingerprint(string Sha256, long Events, long Sequences);

/// <param name="Bytes">Exact size.</param>
/// <param name="Sha256">Lower-case hex.</param>
public sealed record FileDigest(long Bytes, string Sha256);
