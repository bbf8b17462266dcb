using Grpc.Net.Client;
using GrpcRec.Server.Hosting;

namespace GrpcRec.Server.Tests.Hosting;

/// <summary>A real server on a free port with directories of its own, and a client's channel to it.</summary>
public sealed class TestServer : IAsyncDisposable
{
    private TestServer(RunningServer server, string directory, GrpcChannel channel)
    {
        Server = server;
        Directory = directory;
        Channel = channel;
    }

    public RunningServer Server { get; }

    /// <summary>Holds models/, state/ and data/; removed at the end.</summary>
    public string Directory { get; }

    public GrpcChannel Channel { get; }

    public Uri Address => new(Server.Addresses[0]);

    /// <param name="change">Changes the options; listens on a free port of loopback by default.</param>
    /// <param name="prepare">Fills the directory before the start.</param>
    public static async Task<TestServer> StartAsync(Func<ServerOptions, ServerOptions>? change = null, Action<string>? prepare = null)
    {
        var directory = System.IO.Directory.CreateTempSubdirectory("grpcrec-test-").FullName;
        prepare?.Invoke(directory);
        var options = new ServerOptions
        {
            Listen = ["http://127.0.0.1:0"],
            ModelsDirectory = Path.Combine(directory, "models"),
            DataRoot = directory,
            StateDirectory = Path.Combine(directory, "state"),
            LogLevel = Microsoft.Extensions.Logging.LogLevel.None,
        };
        var server = await ServerHost.StartAsync(change?.Invoke(options) ?? options);
        var target = server.Addresses[0].StartsWith("unix:", StringComparison.Ordinal) ? "http://localhost" : server.Addresses[0];
        return new TestServer(server, directory, GrpcChannel.ForAddress(target));
    }

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        await Server.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
