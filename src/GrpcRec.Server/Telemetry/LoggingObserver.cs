using GrpcRec.Serving;

namespace GrpcRec.Server.Telemetry;

/// <summary>Writes down what the serving library tells.</summary>
public sealed class LoggingObserver(ILogger<LoggingObserver> log) : ServingObserver
{
    private const string None = "none";

    public override void EngineFault(string model, Exception exception) => log.EngineFault(model, exception);

    public override void EngineLost(string model, string reason) => log.EngineLost(model, reason);

    public override void VersionLoaded(string name, string version, string engine, TimeSpan duration) =>
        log.VersionLoaded(name, version, engine, duration.TotalMilliseconds);

    public override void VersionUnloaded(string name, string version) => log.VersionUnloaded(name, version);

    public override void VersionFailed(string name, string version, string reason, Exception? exception) =>
        log.VersionFailed(name, version, reason, exception);

    public override void VersionActivated(string name, string version, string? previous) => log.VersionActivated(name, version, previous ?? None);

    public override void ActiveVersionUnusable(string name, string version, string? fallback) =>
        log.ActiveVersionUnusable(name, version, fallback ?? None);

    public override void PointerUnreadable(string name, string reason) => log.PointerUnreadable(name, reason);
}
