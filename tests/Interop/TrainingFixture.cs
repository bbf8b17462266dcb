using System.Globalization;
using Google.Protobuf;
using Grpc.Net.Client;
using GrpcRec.Server;
using GrpcRec.Server.Hosting;
using GrpcRec.V1;

namespace GrpcRec.Interop.Tests;

/// <summary>A tiny synthetic world, made by the real trainer, and servers that train on it.</summary>
public sealed class TrainingFixture : IAsyncLifetime
{
    const int Users = 120;

    readonly string _folder = Directory.CreateTempSubdirectory("grpcrec-train-").FullName;
    int _servers;
    TrainRequest? _request;

    public async Task InitializeAsync()
    {
        var trainer = Server.Jobs.TrainerLocator.Find(null, out _);
        // Each test asks Installed for it, and skips or fails there.
        if (trainer is null) return;
        var made = await ExternalProgram.RunAsync(trainer.FileName,
            [.. trainer.LeadingArguments, "synthesize", "--world", "shop", "--seed", "1", "--users", Users.ToString(CultureInfo.InvariantCulture), "--out", _folder]);
        made.MustSucceed();
        _request = JsonParser.Default.Parse<TrainRequest>(await File.ReadAllTextAsync(Path.Combine(_folder, "train.json")));
    }

    /// <summary>A small network: a test waits for it.</summary>
    public TrainRequest Request(int epochs)
    {
        var request = _request!.Clone();
        request.ModelName = "world";
        request.Activate = true;
        request.Architecture ??= new();
        request.Architecture.EmbeddingSize = 16;
        request.Architecture.HiddenSize = 16;
        request.Hyperparameters ??= new();
        request.Hyperparameters.Epochs = epochs;
        request.Hyperparameters.Patience = epochs;
        return request;
    }

    public async Task<TrainingServer> StartAsync(Func<ServerOptions, ServerOptions>? change = null)
    {
        var folder = Path.Combine(_folder, $"server{Interlocked.Increment(ref _servers)}");
        var options = new ServerOptions
        {
            Listen = ["http://127.0.0.1:0"],
            ModelsDirectory = Path.Combine(folder, "models"),
            StateDirectory = Path.Combine(folder, "state"),
            DataRoot = _folder,
            LogLevel = Microsoft.Extensions.Logging.LogLevel.None,
        };
        options = change?.Invoke(options) ?? options;
        return new(await ServerHost.StartAsync(options), options);
    }

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }
}

/// <summary>A server that can train, and a client's channel to it.</summary>
public sealed class TrainingServer(RunningServer server, ServerOptions options) : IAsyncDisposable
{
    public string Address => server.Addresses[0];
    public GrpcChannel Channel { get; } = GrpcChannel.ForAddress(server.Addresses[0]);
    public ServerOptions Options => options;

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        await server.DisposeAsync();
    }
}
