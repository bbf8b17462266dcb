using System.ComponentModel.DataAnnotations;

namespace GrpcRec.Serving.Batching;

/// <summary>Bounds of one version's scheduler. The number of sequences read at once is the engine's slots.</summary>
public sealed record BatchSchedulerOptions
{
    /// <summary>Events stepped together. Past 64 the engine's speed a sequence hardly grows, and latency does.</summary>
    [Range(1, 4_096)] public int MaxBatchSize { get; init; } = 64;

    /// <summary>Requests that wait for a slot; further ones are refused at once.</summary>
    [Range(1, 1_000_000)] public int QueueCapacity { get; init; } = 4_096;

    /// <summary>
    /// Longest that a request waits for a slot before it is refused: under overload it is better to answer some in time than all too late.
    /// There is no waiting for company: a latecomer joins the batch at its next step.
    /// </summary>
    public TimeSpan MaxQueueDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest that a stopping scheduler works on what it has taken.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(20);
}
