using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace GrpcRec.Trainer.Worker;

/// <summary>Hosts <see cref="TrainingWorkerService"/> on a Unix socket until its one job has ended or its parent has.</summary>
static class WorkerHost
{
    /// <summary>A request is a few kilobytes; this bounds what a confused peer can make the worker read.</summary>
    private const int MaxRequestBytes = 1 << 20;

    public static async Task<int> RunAsync(WorkerOptions options, CancellationToken cancellation)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "HH:mm:ss ";
        });
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.ListenUnixSocket(options.SocketPath, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddHostedService<ParentWatch>();
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = MaxRequestBytes);

        await using var app = builder.Build();
        app.MapGrpcService<TrainingWorkerService>();
        await app.RunAsync(cancellation);
        return 0;
    }
}
