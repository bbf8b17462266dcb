using GrpcRec.Server.Telemetry;

namespace GrpcRec.Server.Hosting;

/// <summary>A server that answers. Disposing it lets requests in flight end, then stops it.</summary>
public sealed class RunningServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ServerOptions _options;
    private readonly ILogger _log;
    private int _stopped;

    internal RunningServer(WebApplication app, ServerOptions options, IReadOnlyList<string> addresses)
    {
        _app = app;
        _options = options;
        _log = app.Services.GetRequiredService<ILogger<RunningServer>>();
        Addresses = addresses;
    }

    /// <summary>Where it listens, in the order of <see cref="ServerOptions.Listen"/>, with the ports that were really taken.</summary>
    public IReadOnlyList<string> Addresses { get; }

    /// <summary>What the server is composed of.</summary>
    public IServiceProvider Services => _app.Services;

    /// <summary>Completes when the server was told to stop, from inside or by <paramref name="stop"/>.</summary>
    public async Task WaitAsync(CancellationToken stop)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var asked = stop.Register(() => ended.TrySetResult());
        await using var stopping = _app.Lifetime.ApplicationStopping.Register(() => ended.TrySetResult());
        await ended.Task;
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _stopped, 1) == 1)
            return;
        _log.Stopping(_options.DrainTimeout);
        using var deadline = new CancellationTokenSource(_options.DrainTimeout);
        await _app.StopAsync(deadline.Token);
        foreach (var path in _options.Listen.Select(ListenAddress.Parse).OfType<ListenAddress.Unix>())
            File.Delete(path.Path);
        await _app.DisposeAsync();
    }
}
