namespace GrpcRec.Engine.Models;

/// <summary>
/// Bounds on an artefact, checked before memory is taken for what it claims to hold. The defaults are far above what this server is
/// meant for and low enough that a hostile file cannot exhaust a machine by a short header.
/// </summary>
public sealed record ArtifactLimits
{
    public static readonly ArtifactLimits Default = new();

    /// <summary>Bytes of <c>manifest.json</c>.</summary>
    public long MaxManifestBytes { get; init; } = 16L << 20;

    /// <summary>Bytes of the JSON header of <c>weights.safetensors</c>.</summary>
    public int MaxHeaderBytes { get; init; } = 1 << 20;

    /// <summary>Bytes of <c>weights.safetensors</c>.</summary>
    public long MaxWeightsBytes { get; init; } = 16L << 30;

    /// <summary>Bytes of <c>items.jsonl</c>.</summary>
    public long MaxItemsBytes { get; init; } = 1L << 30;

    /// <summary>V.</summary>
    public int MaxCatalogSize { get; init; } = 10_000_000;

    /// <summary>Characters of an item id.</summary>
    public int MaxItemIdLength { get; init; } = 256;

    public int MaxCategories { get; init; } = 100_000;

    public int MaxBehaviors { get; init; } = 256;

    /// <summary>Characters of the name of a behaviour, category or class.</summary>
    public int MaxLabelLength { get; init; } = 256;

    public int MaxTasks { get; init; } = 64;

    /// <summary>Classes of one multiclass task.</summary>
    public int MaxClasses { get; init; } = 1024;

    /// <summary>E, Eb, H, S and D. With <see cref="MaxWeightMagnitude"/> it keeps every sum of every engine finite.</summary>
    public int MaxWidth { get; init; } = 1024;

    public int MaxLayers { get; init; } = 8;

    /// <summary>Layers of a bag's dense part. Their sums are not bounded by an activation, so fewer of them stay finite.</summary>
    public int MaxDenseLayers { get; init; } = 3;

    /// <summary>cnn: events that the filters see.</summary>
    public int MaxWindowLength { get; init; } = 64;

    /// <summary>cnn: horizontal filters of one height; vertical filters.</summary>
    public int MaxFilters { get; init; } = 256;

    /// <summary>Experts of one kind at one level of a trunk.</summary>
    public int MaxExperts { get; init; } = 32;

    public int MaxTrunkLevels { get; init; } = 2;

    /// <summary>Of one kind: event or request.</summary>
    public int MaxFeatures { get; init; } = 32;

    /// <summary>Values or boundaries of one feature.</summary>
    public int MaxFeatureValues { get; init; } = 1_024;

    /// <summary>Behaviours × values of every event feature: rows of a table that an engine makes at load.</summary>
    public int MaxEventKinds { get; init; } = 16_384;

    /// <summary>counts: last events that are read.</summary>
    public int MaxReach { get; init; } = 64;

    /// <summary>counts: neighbours of one item.</summary>
    public int MaxNeighboursOfItem { get; init; } = 4096;

    /// <summary>counts: neighbours of all items together, 8 bytes each.</summary>
    public int MaxNeighbours { get; init; } = 20_000_000;

    public int MaxSequenceLength { get; init; } = 100_000;

    /// <summary>
    /// Largest absolute value of a weight. A trained weight is a small number; one past this is a diverged training run. The deepest
    /// product is projection, interaction, bottom, tower, output: (1024·1e4)·1e4·(1024·1e4)³ ≈ 1e32, and 1e36 of a request's features, whose
    /// embeddings no activation bounds: inside float32's 3.4e38.
    /// </summary>
    public float MaxWeightMagnitude { get; init; } = 1e4f;

    /// <summary>The same where a trunk has two levels, which is one product more.</summary>
    public float MaxWeightMagnitudeOfTwoLevels { get; init; } = 1e3f;

    public float MagnitudeOf(ModelManifest manifest) =>
        manifest.Encoder.Trunk.Levels > 1 ? MathF.Min(MaxWeightMagnitude, MaxWeightMagnitudeOfTwoLevels) : MaxWeightMagnitude;
}
