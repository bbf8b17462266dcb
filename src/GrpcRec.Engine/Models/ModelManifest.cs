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

    // A field that is absent, as in artefacts from before there were features, is initialised with null by the generated reader.

    /// <summary>What the encoder reads of an event beside its item and behaviour, in the order of its columns.</summary>
    public IReadOnlyList<EventFeatureManifest> EventFeatures { get; init => field = value ?? []; } = [];

    /// <summary>What the heads of candidate tasks read of a request, in the order of their columns.</summary>
    public IReadOnlyList<RequestFeatureManifest> RequestFeatures { get; init => field = value ?? []; } = [];

    /// <summary>Tasks, in the order in which predictions are given. At most one is next_item.</summary>
    public required IReadOnlyList<TaskManifest> Tasks { get; init; }

    /// <summary>Hash of the training events and counts, so that two models can be told to have seen the same data.</summary>
    public required DataFingerprint Data { get; init; }

    /// <summary>Null: float32.</summary>
    public PrecisionManifest? Precision { get; init; }

    public long ParameterCount { get; init; }

    /// <summary>Metrics on the test split, for example <c>hr@10</c>, <c>auc/click</c>.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>The same of the baselines, by <c>baseline/metric</c>.</summary>
    public IReadOnlyDictionary<string, double> BaselineMetrics { get; init; } = new Dictionary<string, double>();

    /// <summary>Size and SHA-256 of every other file of the artefact, by file name.</summary>
    public IReadOnlyDictionary<string, FileDigest> Files { get; init; } = new Dictionary<string, FileDigest>();
}

/// <summary>The shared representation: kind and sizes. Equations, shapes and orders stand in <see cref="ModelTensors"/>.</summary>
public sealed record EncoderManifest
{
    public required EncoderKind Kind { get; init; }

    /// <summary>E, width of the item embedding.</summary>
    public required int EmbeddingSize { get; init; }

    /// <summary>Width of the behaviour embedding; it is concatenated after the item's. 0: the model does not read behaviours.</summary>
    public required int BehaviorEmbeddingSize { get; init; }

    /// <summary>H, width of the hidden state of every layer.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Recurrent layers; of a bag, dense layers; of a convolution 1.</summary>
    public required int Layers { get; init; }

    /// <summary>Order of the gates in the rows of the recurrent weights: lstm "ifgo", gru "rzn", mingru "zn", "" for kinds without gates.</summary>
    public string GateOrder { get; init; } = "ifgo";

    public static string GateOrderOf(EncoderKind kind) => kind switch { EncoderKind.Lstm => "ifgo", EncoderKind.Gru => "rzn", EncoderKind.MinGru => "zn", _ => "" };

    /// <summary>Where a GRU applies its reset gate. None for other kinds.</summary>
    public ResetPlacement ResetPlacement { get; init; }

    /// <summary>cnn: events that the filters see, the last ones. 0 for other kinds.</summary>
    public int WindowLength { get; init; }

    /// <summary>cnn: heights in events of the horizontal filters, ascending and different, at most the window. Empty for other kinds.</summary>
    public IReadOnlyList<int> FilterHeights { get; init; } = [];

    /// <summary>cnn: horizontal filters of each height.</summary>
    public int HorizontalFilters { get; init; }

    /// <summary>cnn: vertical filters; 0 for none.</summary>
    public int VerticalFilters { get; init; }

    /// <summary>The output item embedding is the input's.</summary>
    public required bool TiedItemEmbedding { get; init; }

    /// <summary>S, width of the bottom that the candidate tasks share, or of each expert. 0 when there is no such task.</summary>
    public required int BottomSize { get; init; }

    /// <summary>How the candidate tasks share what lies between the encoder and their towers.</summary>
    public TrunkManifest Trunk { get; init; } = new();

    /// <summary>D, width of each task tower's hidden layer. 0: the tower is one linear layer.</summary>
    public required int TowerSize { get; init; }

    /// <summary>counts: what was counted. Null for other kinds.</summary>
    public CountsManifest? Counts { get; init; }
}

[JsonConverter(typeof(JsonStringEnumConverter<EncoderKind>))]
public enum EncoderKind
{
    [JsonStringEnumMemberName("lstm")] Lstm,
    [JsonStringEnumMemberName("gru")] Gru,

    /// <summary>Elman's: h' = tanh(W·x + U·h + b).</summary>
    [JsonStringEnumMemberName("rnn")] Rnn,

    /// <summary>Mean of the events' embeddings, then dense layers.</summary>
    [JsonStringEnumMemberName("bag")] Bag,

    /// <summary>Horizontal and vertical convolutions over the last events, as in Caser (Tang &amp; Wang, WSDM 2018).</summary>
    [JsonStringEnumMemberName("cnn")] Cnn,

    /// <summary>
    /// A GRU whose gate and candidate read the input alone (Feng et al. 2024, arXiv 2410.01201), so that it is linear in its state: trained for
    /// all events at once, served without a recurrent product. The candidate keeps its tanh, which the paper drops: outputs stay in [-1, 1].
    /// </summary>
    [JsonStringEnumMemberName("mingru")] MinGru,

    /// <summary>No network: tables counted from the events, see <see cref="CountsManifest"/>.</summary>
    [JsonStringEnumMemberName("counts")] Counts,
}

[JsonConverter(typeof(JsonStringEnumConverter<ResetPlacement>))]
public enum ResetPlacement
{
    [JsonStringEnumMemberName("none")] None,

    /// <summary>n = tanh(W·x + b + U·(r∘h)): Cho et al. 2014; ONNX linear_before_reset = 0.</summary>
    [JsonStringEnumMemberName("before_product")] BeforeProduct,

    /// <summary>n = tanh(W·x + b + r∘(U·h + b_h)): cuDNN and PyTorch; ONNX linear_before_reset = 1.</summary>
    [JsonStringEnumMemberName("after_product")] AfterProduct,
}

/// <summary>The part of the network between the encoder and the towers of the candidate tasks.</summary>
public sealed record TrunkManifest
{
    public TrunkKind Kind { get; init; }

    /// <summary>Experts that every task's gate mixes. 0 for shared_bottom.</summary>
    public int SharedExperts { get; init; }

    /// <summary>Further experts of each task, mixed by its gate alone; with stem by every task's. 0 for shared_bottom and mmoe.</summary>
    public int TaskExperts { get; init; }

    /// <summary>Extraction levels, one on the other. 1 but for ple.</summary>
    public int Levels { get; init; } = 1;
}

[JsonConverter(typeof(JsonStringEnumConverter<TrunkKind>))]
public enum TrunkKind
{
    /// <summary>One bottom for all.</summary>
    [JsonStringEnumMemberName("shared_bottom")] SharedBottom,

    /// <summary>Multi-gate mixture of experts (Ma et al., KDD 2018).</summary>
    [JsonStringEnumMemberName("mmoe")] Mmoe,

    /// <summary>Customised gate control, one level (Tang et al., RecSys 2020).</summary>
    [JsonStringEnumMemberName("cgc")] Cgc,

    /// <summary>Progressive layered extraction: CGC levels stacked (the same paper).</summary>
    [JsonStringEnumMemberName("ple")] Ple,

    /// <summary>
    /// One level whose tasks have an item embedding each beside the shared one, and mix all experts; in training no task changes another's
    /// (Su et al., AAAI 2024).
    /// </summary>
    [JsonStringEnumMemberName("stem")] Stem,
}

/// <summary>Precision of the encoder's recurrent product. Weights are kept as float32 in every artefact; an engine derives the rest at load.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Precision>))]
public enum Precision
{
    [JsonStringEnumMemberName("float32")] Float32,

    /// <summary>Weights rounded to bfloat16, sums in float32.</summary>
    [JsonStringEnumMemberName("bf16")] Bf16,

    /// <summary>Weights to 8 bits with a scale per output channel, hidden state to 8 bits with scale 1/127; integer sums.</summary>
    [JsonStringEnumMemberName("int8")] Int8,
}

/// <summary>What running in reduced precision costs, as <c>quantise</c> measured it.</summary>
/// <param name="Precision">Of the encoder.</param>
/// <param name="Metric">The one that decided, for example <c>ndcg@10</c>; more of it is better.</param>
/// <param name="Float32">Its value on the validation split in float32.</param>
/// <param name="Reduced">And in the reduced precision.</param>
/// <param name="MaxRelativeLoss">Bound under which the precision was accepted, for example 0.005.</param>
public sealed record PrecisionManifest(Precision Precision, string Metric, double Float32, double Reduced, double MaxRelativeLoss)
{
    /// <summary>(Float32 - Reduced) / |Float32|; negative when the reduced precision did better.</summary>
    [JsonIgnore]
    public double RelativeLoss => (Float32 - Reduced) / Math.Abs(Float32);
}

[JsonConverter(typeof(JsonStringEnumConverter<TaskKind>))]
public enum TaskKind
{
    [JsonStringEnumMemberName("binary")] Binary,
    [JsonStringEnumMemberName("multiclass")] Multiclass,
    [JsonStringEnumMemberName("next_item")] NextItem,

    /// <summary>A number for a candidate: <see cref="TaskManifest.Offset"/> + <see cref="TaskManifest.Scale"/> × output.</summary>
    [JsonStringEnumMemberName("regression")] Regression,
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

    /// <summary>binary: an earlier binary task whose outcome this one needs first; the probability is then the product of both. Null: none.</summary>
    public string? Given { get; init; }

    /// <summary>regression: the mean of the labels that the output was trained to, in their unit.</summary>
    public double Offset { get; init; }

    /// <summary>regression: their standard deviation; 1 for other kinds.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>binary, with a candidate: a term for each item is added to the logit, before what is needed first is.</summary>
    public bool ItemBias { get; init; }

    /// <summary>
    /// next_item: the query has a part that leads from the items read straight to those that are like them, a sum of their embeddings that fades
    /// with the events since (<see cref="ModelTensors.MemoryDecay"/>). After Fossil (He &amp; McAuley 2016), with a fading for each column.
    /// </summary>
    public bool ItemMemory { get; init; }

    /// <summary>next_item: a term is added to the logit of an item that stands among the events read (<see cref="Models.RepeatTerms"/>).</summary>
    public bool RepeatTerms { get; init; }

    /// <summary>Logits that the head gives: 1, or the number of classes.</summary>
    [JsonIgnore]
    public int OutputWidth => Kind == TaskKind.Multiclass ? ClassNames.Count : 1;
}

/// <param name="Sha256">Of the cleaned events in their canonical order, lower-case hex.</param>
public sealed record DataFingerprint(string Sha256, long Events, long Sequences);

/// <param name="Bytes">Exact size.</param>
/// <param name="Sha256">Lower-case hex.</param>
public sealed record FileDigest(long Bytes, string Sha256);
