using Grpc.Health.V1;
using Grpc.HealthCheck;
using GrpcRec.Engine.Steps;
using GrpcRec.Server.Telemetry;

namespace GrpcRec.Server.Hosting;

/// <summary>
/// Tells grpc.health.v1 what callers should know: all services serve, until the server stops or an engine has lost its device and nothing
/// took its place. The device itself has a name of its own while an engine runs on it, which stays NOT_SERVING where the CPU took over.
/// </summary>
public sealed class HealthReporter
{
    /// <summary>Name under which the CUDA device is asked for.</summary>
    public const string Device = "grpcrec.cuda";

    private readonly HealthServiceImpl _health;
    private readonly EngineHealth _engines;
    private readonly ILogger<HealthReporter> _log;
    private readonly string[] _services;
    private readonly Lock _gate = new();
    private bool _stopped;

    public HealthReporter(HealthServiceImpl health, EngineHealth engines, ILogger<HealthReporter> log, string[] services)
    {
        (_health, _engines, _log, _services) = (health, engines, log, services);
        engines.Changed += what =>
        {
            if (what is not null)
                _log.EngineHealthChanged(what);
            Update();
        };
        Update();
    }

    public void Stop()
    {
        lock (_gate)
            _stopped = true;
        Update();
    }

    private void Update()
    {
        lock (_gate)
        {
            var serves = !_stopped && !_engines.IsLost;
            foreach (var service in _services)
                _health.SetStatus(service, StatusOf(serves));
            // Where nothing runs on a device there is none to ask for: the name is not known.
            if (_engines.HasEngines)
                _health.SetStatus(Device, StatusOf(serves && !_engines.IsDegraded));
            else
                _health.ClearStatus(Device);
        }
    }

    private static HealthCheckResponse.Types.ServingStatus StatusOf(bool serves) =>
        serves ? HealthCheckResponse.Types.ServingStatus.Serving : HealthCheckResponse.Types.ServingStatus.NotServing;
}
