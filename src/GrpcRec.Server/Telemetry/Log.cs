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
}
