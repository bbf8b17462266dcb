namespace GrpcRec.Serving.Admission;

/// <summary>The kinds of refusal, by what the caller can do about it. The server maps each to one gRPC status.</summary>
public enum RejectionKind
{
    /// <summary>The request itself is wrong: change it.</summary>
    Invalid,

    /// <summary>What it names is not there.</summary>
    NotFound,

    /// <summary>The server is not in the state that the request needs: do something else first.</summary>
    FailedPrecondition,

    /// <summary>Too much work at once: come again later.</summary>
    Overloaded,

    DeadlinePassed,
    Cancelled,

    /// <summary>This server is going away: ask another one.</summary>
    ShuttingDown,

    /// <summary>What the server computes on is gone for now: ask again, or another one.</summary>
    Unavailable,

    /// <summary>A fault of ours.</summary>
    Internal,
}

/// <summary>An expected refusal, as a value.</summary>
/// <param name="Kind">What the caller can do about it.</param>
/// <param name="Reason">Stable, for programs: UPPER_SNAKE_CASE.</param>
/// <param name="Message">For a person. Shows no path and no type name.</param>
/// <param name="RetryAfter">When to come again; null when that would not help.</param>
public sealed record Rejection(RejectionKind Kind, string Reason, string Message, TimeSpan? RetryAfter = null)
{
    public static Rejection QueueFull { get; } = new(
        RejectionKind.Overloaded, "QUEUE_FULL", "The server has as many requests waiting as it may; try again shortly.", TimeSpan.FromMilliseconds(100));

    public static Rejection QueuedTooLong { get; } = new(
        RejectionKind.Overloaded, "QUEUED_TOO_LONG", "The request waited longer than the server lets one wait; try again shortly.", TimeSpan.FromMilliseconds(500));

    public static Rejection DeadlinePassed { get; } = new(
        RejectionKind.DeadlinePassed, "DEADLINE_PASSED", "The request's deadline passed before its work was done.");

    public static Rejection Cancelled { get; } = new(RejectionKind.Cancelled, "CANCELLED", "The caller cancelled the request.");

    public static Rejection ShuttingDown { get; } = new(
        RejectionKind.ShuttingDown, "SHUTTING_DOWN", "The server is shutting down; ask another one.", TimeSpan.FromSeconds(1));

    public static Rejection EngineLost { get; } = new(
        RejectionKind.Unavailable, "ENGINE_LOST", "The device that computed this request was lost; try again.", TimeSpan.FromSeconds(1));

    public static Rejection EngineFault { get; } = new(RejectionKind.Internal, "ENGINE_FAULT", "The engine failed on this request's batch.");
}

/// <summary>Either a value or the reason why there is none.</summary>
public readonly record struct Outcome<T>(T? Value, Rejection? Rejection)
    where T : class
{
    public bool IsRejected => Rejection is not null;

    public static implicit operator Outcome<T>(T value) => new(value, null);

    public static implicit operator Outcome<T>(Rejection rejection) => new(null, rejection);
}
