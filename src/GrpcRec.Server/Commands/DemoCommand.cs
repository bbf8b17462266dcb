using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Grpc.Core;
using GrpcRec.V1;
using Spectre.Console;
using Duration = Google.Protobuf.WellKnownTypes.Duration;

namespace GrpcRec.Server.Commands;

/// <summary>
/// <c>grpcrec demo</c>: the whole loop in front of one's eyes. Everything after the data is made goes over a real gRPC channel to a real server,
/// by the same calls that any client makes.
/// </summary>
static class DemoCommand
{
    const string ModelName = "demo";
    const int Ranked = 10;
    const int Scored = 5;

    /// <summary>For as many epochs as a slower or busier machine has in it; two idle cores need less.</summary>
    static readonly TimeSpan TrainingTime = TimeSpan.FromSeconds(120);

    sealed record Settings(string World, FileInfo? Data, int Port, long Seed, int? Epochs, bool Once);

    public static Command Create()
    {
        var world = new Option<string>("--world") { Description = "Which synthetic world: shop, social, music or video.", DefaultValueFactory = _ => "shop" };
        world.AcceptOnlyFromAmong("shop", "social", "music", "video");
        var data = new Option<FileInfo?>("--data") { Description = "Your own events (CSV, JSON lines or Parquet with user_id, item_id and, if there, behavior and timestamp_ms) instead of a world." };
        var port = new Option<int?>("--port") { Description = "Port on loopback. Default 50051; any free one with --once." };
        var seed = new Option<long>("--seed") { Description = "Seed of the world and of training.", DefaultValueFactory = _ => 1 };
        var epochs = new Option<int?>("--epochs") { Description = "Most epochs. Default: the world's own, for about a minute on two cores." };
        var once = new Option<bool>("--once") { Description = "Print one JSON object on the last line of standard output, and exit." };
        var command = new Command("demo", "Synthesise a world (or take --data), train a model, serve it, call it, show the result. Stays up for you to try.") { world, data, port, seed, epochs, once };
        command.SetAction(async (parsed, cancellation) =>
        {
            var isOnce = parsed.GetValue(once);
            var settings = new Settings(parsed.GetRequiredValue(world), parsed.GetValue(data), parsed.GetValue(port) ?? (isOnce ? 0 : 50_051), parsed.GetRequiredValue(seed), parsed.GetValue(epochs), isOnce);
            var folder = Directory.CreateTempSubdirectory("grpcrec-demo-");
            try
            {
                return await RunAsync(settings, folder.FullName, cancellation);
            }
            catch (OperationCanceledException)
            {
                return await FailAsync(isOnce, "cancelled");
            }
            catch (RpcException exception)
            {
                return await FailAsync(isOnce, ServerChannel.Explain(exception));
            }
            catch (Exception exception) when (exception is ServerOptionsException or IOException or UnauthorizedAccessException)
            {
                return await FailAsync(isOnce, exception.Message);
            }
            finally
            {
                folder.Delete(recursive: true);
            }
        });
        return command;
    }

    static async Task<int> FailAsync(bool once, string message)
    {
        await Console.Error.WriteLineAsync(message);
        if (once) await Console.Out.WriteLineAsync(new JsonObject { ["ok"] = false, ["error"] = message }.ToJsonString(DemoResult.Readable));
        return 1;
    }

    static async Task<int> RunAsync(Settings settings, string folder, CancellationToken cancellation)
    {
        var started = TimeProvider.System.GetTimestamp();
        var console = settings.Once ? Terminal.Error : Terminal.Output;

        // 1. Events.
        var (request, dataRoot) = settings.Data is { } file ? OwnData(file) : await SynthesizeAsync(settings, folder, console, cancellation);
        request.ModelName = ModelName;
        request.Activate = true;
        request.Hyperparameters ??= new();
        request.Hyperparameters.Seed = settings.Seed;
        if (settings.Epochs is { } epochs) request.Hyperparameters.Epochs = epochs;
        else request.Hyperparameters.MaxDuration ??= Duration.FromTimeSpan(TrainingTime);
        var user = await DemoUser.PickAsync(Path.Combine(dataRoot, request.Data.Path), folder, cancellation);

        // 2. A server, and a client's channel to it.
        await using var server = await ServerHost.StartAsync(new ServerOptions
        {
            Listen = [string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{settings.Port}")],
            ModelsDirectory = Path.Combine(folder, "models"),
            StateDirectory = Path.Combine(folder, "state"),
            DataRoot = dataRoot,
            LogLevel = LogLevel.Warning,
        }, cancellation);
        using var channel = ServerChannel.Open(server.Addresses[0]);

        // 3. Train and activate.
        using var call = new TrainingService.TrainingServiceClient(channel).Train(request, cancellationToken: cancellation);
        var training = await new TrainingDisplay(console).ShowAsync(TrainingDisplay.Read(call));
        if (training.State != TrainingState.Succeeded) return await FailAsync(settings.Once, training.Error);

        // 4. Ask.
        var result = await AskAsync(channel, training, user, DemoResult.ReadOracle(Path.Combine(folder, "world", "truth.json")), cancellation) with
        {
            Elapsed = TimeProvider.System.GetElapsedTime(started),
        };

        // 5. Show, and stay.
        var report = new DemoReport(console);
        report.Print(result);
        if (settings.Once)
        {
            await Console.Out.WriteLineAsync(result.ToJson());
            return result.Ok ? 0 : 1;
        }
        report.PrintCalls(server.Addresses[0], user, Ranked);
        await server.WaitAsync(cancellation);
        return 0;
    }

    static async Task<(TrainRequest Request, string DataRoot)> SynthesizeAsync(Settings settings, string folder, IAnsiConsole console, CancellationToken cancellation)
    {
        console.WriteLine($"Making the world \"{settings.World}\", seed {settings.Seed}");
        var world = Path.Combine(folder, "world");
        Directory.CreateDirectory(world);
        await TrainerCommands.RunInsideAsync(["synthesize", "--world", settings.World, "--seed", settings.Seed.ToString(CultureInfo.InvariantCulture), "--out", world], cancellation);
        return (JsonParser.Default.Parse<TrainRequest>(await File.ReadAllTextAsync(Path.Combine(world, "train.json"), cancellation)), world);
    }

    static (TrainRequest Request, string DataRoot) OwnData(FileInfo file)
    {
        if (!file.Exists) throw new ServerOptionsException($"--data: there is no file {file}.");
        return (new() { Data = new() { Path = file.Name } }, file.DirectoryName!);
    }

    static async Task<DemoResult> AskAsync(ChannelBase channel, Training training, DemoUser user, IReadOnlyDictionary<string, double> oracle, CancellationToken cancellation)
    {
        var deadline = TimeProvider.System.GetUtcNow().AddSeconds(10).UtcDateTime;
        var model = (await new ModelService.ModelServiceClient(channel).GetModelAsync(new(), null, deadline, cancellation)).Model;
        var client = new RecommendationService.RecommendationServiceClient(channel);
        var state = new UserState { Sequence = new() { Events = { user.History } } };
        var rank = await client.RankAsync(new() { User = state, K = Math.Min(Ranked, model.CatalogSize), IncludePredictions = true }, null, deadline, cancellation);
        var candidates = rank.Items.Take(Scored).Select(item => item.ItemId);
        var score = await client.ScoreAsync(new() { User = state, CandidateItemIds = { candidates } }, null, deadline, cancellation);
        return new(TimeSpan.Zero, user, training, model, rank, score, oracle);
    }
}
