using GrpcRec.Server.Hosting;

namespace GrpcRec.Server.Commands;

/// <summary>A server inside a command, on a socket that nobody else can reach: the command then talks to it as any client would.</summary>
sealed class PrivateServer : IAsyncDisposable
{
    readonly RunningServer _server;
    readonly DirectoryInfo _folder;

    PrivateServer(RunningServer server, DirectoryInfo folder) => (_server, _folder) = (server, folder);

    public string Address => _server.Addresses[0];

    public static async Task<PrivateServer> StartAsync(ServerOptions options, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("grpcrec-");
        try
        {
            return new(await ServerHost.StartAsync(options with { Listen = [$"unix:{Path.Combine(folder.FullName, "server.sock")}"] }, cancellation), folder);
        }
        catch
        {
            folder.Delete(recursive: true);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
