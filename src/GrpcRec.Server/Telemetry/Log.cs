namespace GrpcRec.Server.Telemetry;

/// <summary>Every log message of the server.</summary>
public static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Listening on {Address}")]
    public static partial void Listening(this ILogger log, string address);

    [LoggerMessage(2, LogLevel.Warning, "{Address} can be reached from other machines, and callers are not authenticated yet: put a proxy or a firewall before it")]
    public static partial void OpenAddress(this ILogger log, string address);

    [LoggerMessage(3, LogLevel.Information, "Stopping: requests in flight may end within {Drain}")]
    public static partial void Stopping(this ILogger log, TimeSpan drain);

    [LoggerMessage(4, LogLevel.Error, "Unexpected error {CorrelationId} in {Method}")]
    public static partial void UnexpectedError(this ILogger log, string correlationId, string method, Exception exception);

    [LoggerMessage(5, LogLevel.Information, "Removed the socket {Path} that a server left behind")]
    public static partial void StaleSocketRemoved(this ILogger log, string path);

    [LoggerMessage(6, LogLevel.Error, "The engine of {Model} failed on a batch; its requests were answered INTERNAL")]
    public static partial void EngineFault(this ILogger log, string model, Exception exception);

    [LoggerMessage(7, LogLevel.Information, "Loaded {Name}/{Version} into {Engine} in {Milliseconds:F0} ms")]
    public static partial void VersionLoaded(this ILogger log, string name, string version, string engine, double milliseconds);

    [LoggerMessage(8, LogLevel.Information, "Let {Name}/{Version} go from memory")]
    public static partial void VersionUnloaded(this ILogger log, string name, string version);

    [LoggerMessage(9, LogLevel.Error, "{Name}/{Version} cannot be used: {Reason}")]
    public static partial void VersionFailed(this ILogger log, string name, string version, string reason, Exception? exception);

    [LoggerMessage(10, LogLevel.Information, "{Name}/{Version} answers now; before: {Previous}")]
    public static partial void VersionActivated(this ILogger log, string name, string version, string previous);

    [LoggerMessage(11, LogLevel.Critical, "The active version {Name}/{Version} cannot be used; answering instead: {Fallback}. Activate a sound version")]
    public static partial void ActiveVersionUnusable(this ILogger log, string name, string version, string fallback);

    [LoggerMessage(12, LogLevel.Critical, "Model {Name} does not answer: {Reason} Activate a version")]
    public static partial void PointerUnreadable(this ILogger log, string name, string reason);

    [LoggerMessage(13, LogLevel.Error, "The engine of {Model} lost its device; its requests were answered UNAVAILABLE: {Reason}")]
    public static partial void EngineLost(this ILogger log, string model, string reason);

    [LoggerMessage(14, LogLevel.Warning, "CUDA: {What}")]
    public static partial void EngineHealthChanged(this ILogger log, string what);
}
