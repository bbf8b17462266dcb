using System.Threading.Tasks.Sources;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Admission;

namespace GrpcRec.Serving.Batching;

/// <summary>
/// One sequence to be read and what is wanted of the state that it leaves. It is its own awaitable, so that a request costs no allocation
/// beside itself and its answer. Used once.
/// </summary>
public sealed class BatchRequest : IValueTaskSource<Rejection?>
{
    private ManualResetValueTaskSourceCore<Rejection?> _completion = new() { RunContinuationsAsynchronously = true };

    /// <summary>[T] dense item ids, oldest first. Empty: the zero state answers.</summary>
    public required int[] Items { get; init; }

    /// <summary>[T] dense behaviour ids; with event features their kinds.</summary>
    public required int[] Behaviors { get; init; }

    /// <summary>Indices of the request's features, which hold for all candidates; empty: nothing is known.</summary>
    public int[] RequestFeatures { get; init; } = [];

    /// <summary>[N] dense ids of items to score.</summary>
    public int[] Candidates { get; init; } = [];

    public bool WantsSequenceScores { get; init; }

    /// <summary>Top-k of the catalogue; 0: not wanted.</summary>
    public int RankK { get; init; }

    /// <summary>Dense ids never to be ranked, ascending and different.</summary>
    public int[] RankExcluded { get; init; } = [];

    /// <summary>What else may be ranked; null: the whole catalogue.</summary>
    public RankFilter? RankFilter { get; init; }

    /// <summary>Score the ranked items too, into <see cref="CandidateLogits"/>. Not with <see cref="Candidates"/>.</summary>
    public bool ScoreRanked { get; init; }

    /// <summary>Time that the caller still waits; null: for ever.</summary>
    public TimeSpan? Timeout { get; init; }

    public CancellationToken CancellationToken { get; init; }

    /// <summary>[N, CandidateWidth] logits, row-major. Set when done.</summary>
    public float[] CandidateLogits { get; internal set; } = [];

    /// <summary>[SequenceWidth] logits. Set when done.</summary>
    public float[] SequenceLogits { get; internal set; } = [];

    /// <summary>[≤ k] best first. Set when done.</summary>
    public RankedItem[] Ranked { get; internal set; } = [];

    // The lane's own, touched by its worker alone after the request was queued.
    internal Slot? Slot { get; set; }
    internal bool IsComplete { get; private set; }

    /// <summary>Events that are read.</summary>
    internal int Position { get; set; }

    internal int EventsLeft => Items.Length - Position;

    /// <summary>All that it costs, in events.</summary>
    internal int Work { get; set; }

    internal long QueuedAt { get; set; }

    /// <summary>On the scheduler's clock; <see cref="long.MaxValue"/>: none.</summary>
    internal long Deadline { get; set; } = long.MaxValue;

    internal ValueTask<Rejection?> Completion => new(this, _completion.Version);

    /// <summary>The first answer counts.</summary>
    internal void Complete(Rejection? rejection)
    {
        if (IsComplete)
            return;
        IsComplete = true;
        _completion.SetResult(rejection);
    }

    Rejection? IValueTaskSource<Rejection?>.GetResult(short token) => _completion.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<Rejection?>.GetStatus(short token) => _completion.GetStatus(token);

    void IValueTaskSource<Rejection?>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _completion.OnCompleted(continuation, state, token, flags);
}
