using System.ComponentModel.DataAnnotations;

namespace GrpcRec.Serving.Batching;

/// <summary>Bounds of one version's scheduler. The number of sequences read at once is its engines' slots.</summary>
public sealed record BatchSchedulerOptions
{
    /// <summary>Sequences stepped together on a thread. Past 64 the engine's speed a sequence hardly grows, and latency does.</summary>
    [Range(1, 4_096)] public int MaxBatchSize { get; init; } = 64;

    /// <summary>
    /// Events that a thread reads in one go before it looks at its queue again, all sequences of the batch together: so long a newcomer
    /// waits, a quarter of a millisecond with an LSTM of 128. A larger batch reads one event of each. With 64 in place of 256, a saturated
    /// server answered a quarter fewer sequences: each call copies every sequence's state.
    /// </summary>
    [Range(1, 65_536)] public int ChunkEvents { get; init; } = 256;

    /// <summary>
    /// Events of one sequence that a thread reads in one go, where few sequences leave room for more: an event alone costs several times
    /// what it does in a full batch.
    /// </summary>
    [Range(1, 65_536)] public int MaxRunEvents { get; init; } = 16;

    /// <summary>Requests that wait for a slot, on all threads; further ones are refused at once.</summary>
    [Range(1, 1_000_000)] public int QueueCapacity { get; init; } = 4_096;

    /// <summary>
    /// Longest that a request waits for a slot before it is refused: under overload it is better to answer some in time than all too late.
    /// There is no waiting for company: a latecomer joins the batch at its next step.
    /// </summary>
    public TimeSpan MaxQueueDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest that a stopping scheduler works on what it has taken.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(20);
}
