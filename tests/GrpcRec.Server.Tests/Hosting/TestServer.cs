using System.Net.Sockets;
using Grpc.Net.Client;
using GrpcRec.Server.Hosting;
using GrpcRec.Serving.Registry;
using GrpcRec.Serving.Tests;
using Microsoft.Extensions.DependencyInjection;

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
    /// <param name="replace">Puts other parts in the place of the server's.</param>
    public static async Task<TestServer> StartAsync(
        Func<ServerOptions, ServerOptions>? change = null, Action<string>? prepare = null, Action<IServiceCollection>? replace = null)
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
        var server = await ServerHost.StartAsync(change?.Invoke(options) ?? options, replace ?? (_ => { }));
        return new TestServer(server, directory, Open(server.Addresses[0]));
    }

    /// <summary>A server with one active model "shop" of random weights, version "v1".</summary>
    public static Task<TestServer> StartWithModelAsync(
        Func<ServerOptions, ServerOptions>? change = null, Action<IServiceCollection>? replace = null, params string[] versions) =>
        StartAsync(change, directory => Store(Path.Combine(directory, "models"), versions is [] ? ["v1"] : versions), replace);

    /// <param name="authority">Of the requests on a Unix socket.</param>
    public static GrpcChannel Open(string address, HttpMessageHandler? handler = null, string authority = "localhost")
    {
        if (!address.StartsWith("unix:", StringComparison.Ordinal))
            return GrpcChannel.ForAddress(address, new GrpcChannelOptions { HttpHandler = handler });
        var endpoint = new UnixDomainSocketEndPoint(address["unix:".Length..]);
        return GrpcChannel.ForAddress($"http://{authority}", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                ConnectCallback = async (_, cancellation) =>
                {
                    var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    await socket.ConnectAsync(endpoint, cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                },
            },
        });
    }

    private static void Store(string models, string[] versions)
    {
        foreach (var version in versions)
            ArtifactFixture.Write(models, "shop", version, seed: version[1]);
        new ActivePointer(versions[0], null).Write(Path.Combine(models, "shop"));
    }

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        await Server.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
