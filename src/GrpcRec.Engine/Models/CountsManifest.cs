namespace GrpcRec.Engine.Models;

/// <summary>
/// A model without a network: tables counted from the training events. Its encoder remembers the last R = hidden_size items and learns
/// nothing; all other sizes are 0. Its tensors, V items and N neighbours of them all:
/// <code>
/// neighbours.offset          [V + 1] int32      neighbours of item v stand from offset[v] to offset[v + 1]
/// neighbours.item            [N] int32          dense ids
/// neighbours.weight          [N] float32        above 0
/// task.{name}.item_bias      [V] float32        of a binary task: the logit of a candidate, whoever asks
/// </code>
/// next_item: a candidate that neighbours one of the last items scores Σₙ decayⁿ·weight over them, n = 0 the last event; it is above 0. Any other
/// scores the logarithm of its share of the training events, (count + 1) / Σ (count + 1), which is at most 0: all of those come behind.
/// Equal scores: the more popular first, then the lower id. The neighbours are absent without a next_item task, or where N = 0.
/// </summary>
public sealed record CountsManifest
{
    public const string NeighbourOffset = "neighbours.offset";
    public const string NeighbourItem = "neighbours.item";
    public const string NeighbourWeight = "neighbours.weight";

    /// <summary>What an event counts for against the one after it, above 0, at most 1.</summary>
    public required double Decay { get; init; }

    /// <summary>N.</summary>
    public required int Neighbours { get; init; }
}
