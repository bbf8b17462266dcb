using System.Text.Json.Serialization;

namespace GrpcRec.Engine.Models;

/// <summary>
/// A categorical that the encoder reads of every event, beside its item and behaviour. Index 0 always stands for what is not known: no value,
/// or one that the training data did not have.
/// </summary>
public sealed record EventFeatureManifest
{
    /// <summary>Unique among the event features. Of a <see cref="FeatureSource.Context"/> feature also the key in the event's context.</summary>
    public required string Name { get; init; }

    public required FeatureSource Source { get; init; }

    /// <summary>d, columns of its embedding.</summary>
    public required int EmbeddingSize { get; init; }

    /// <summary>context: the values known; values[i] has index i + 1. Empty otherwise.</summary>
    public IReadOnlyList<string> Values { get; init => field = value ?? []; } = [];

    /// <summary>
    /// time_gap (milliseconds) and value: ascending; a number has index 1 + the boundaries at or below it. Empty otherwise.
    /// </summary>
    public IReadOnlyList<double> Boundaries { get; init => field = value ?? []; } = [];

    /// <summary>Rows of its embedding, n: with those that are not known.</summary>
    /// <param name="categories">Of the items.</param>
    public int CountOf(int categories) => Source switch
    {
        FeatureSource.Context => Values.Count + 1,
        FeatureSource.ItemCategory => categories + 1,
        _ => Boundaries.Count + 2,
    };
}

/// <summary>What an event's feature is read from.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FeatureSource>))]
public enum FeatureSource
{
    /// <summary>A value of the event's context, by the feature's name.</summary>
    [JsonStringEnumMemberName("context")] Context,

    /// <summary>
    /// Milliseconds since the event before it: the last one of the sequence whose item the catalogue knows, whether or not the model still reads
    /// it. Not known where one of the two has no time, and of the first event.
    /// </summary>
    [JsonStringEnumMemberName("time_gap")] TimeGap,

    /// <summary>The number that goes with the event.</summary>
    [JsonStringEnumMemberName("value")] Value,

    /// <summary>The category of the event's item; index i + 1 of category i.</summary>
    [JsonStringEnumMemberName("item_category")] ItemCategory,
}

/// <summary>
/// A categorical that goes with a request and is the same for all its candidates: what the user is like, where candidates are shown. Read
/// by the heads of candidate tasks, but not by next_item nor by tasks of the sequence alone. Index 0: not known.
/// </summary>
public sealed record RequestFeatureManifest
{
    /// <summary>Unique among the request features; the key in the request's context.</summary>
    public required string Name { get; init; }

    /// <summary>d, columns of its embedding.</summary>
    public required int EmbeddingSize { get; init; }

    /// <summary>The values known; values[i] has index i + 1.</summary>
    public required IReadOnlyList<string> Values { get; init; }

    /// <summary>Rows of its embedding, n.</summary>
    [JsonIgnore]
    public int Count => Values.Count + 1;
}
