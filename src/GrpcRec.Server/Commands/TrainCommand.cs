using System.CommandLine;
using Google.Protobuf;
using Grpc.Core;
using GrpcRec.V1;
using Spectre.Console;

namespace GrpcRec.Server.Commands;

/// <summary><c>grpcrec train</c>: one training, on a running server or on one of its own, with its progress.</summary>
static class TrainCommand
{
    public static Command Create()
    {
        var options = new TrainOptions();
        var command = new Command("train",
            "Train a model from a file of events and store it in the models directory. Either --data and --name, with what else differs from the defaults, or a whole request with --request. "
            + "Without --address a private server inside this command does the work.");
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            // With --json standard output holds one object; everything for people goes to standard error.
            var json = parsed.GetValue(options.Json);
            var console = json ? Terminal.Error : Terminal.Output;
            try
            {
                var address = parsed.GetValue(options.Address);
                var (request, dataRoot) = await options.ReadAsync(parsed, remote: address is not null, cancellation);
                await using var server = address is null ? await PrivateServer.StartAsync(options.ServerOptions(parsed, dataRoot), cancellation) : null;
                using var channel = ServerChannel.Open(address ?? server!.Address, parsed.GetValue(options.Authority));
                return await RunAsync(channel, request, console, json, cancellation);
            }
            catch (RpcException exception)
            {
                await Console.Error.WriteLineAsync(ServerChannel.Explain(exception));
                return 1;
            }
            catch (Exception exception) when (exception is ServerOptionsException or InvalidProtocolBufferException or IOException or UnauthorizedAccessException)
            {
                await Console.Error.WriteLineAsync(exception.Message);
                return 2;
            }
        });
        return command;
    }

    /// <returns>0 when it succeeded.</returns>
    static async Task<int> RunAsync(ChannelBase channel, TrainRequest request, IAnsiConsole console, bool json, CancellationToken cancellation)
    {
        var client = new TrainingService.TrainingServiceClient(channel);
        string? id = null;
        // The stream is not the job: Ctrl-C has to end the job itself.
        await using var stop = cancellation.Register(() =>
        {
            if (Volatile.Read(ref id) is { } training) _ = client.CancelTrainingAsync(new() { TrainingId = training });
        });
        using var call = client.Train(request, cancellationToken: CancellationToken.None);
        var last = await new TrainingDisplay(console).ShowAsync(Remember(TrainingDisplay.Read(call)));

        if (json) await Console.Out.WriteLineAsync(JsonFormatter.Default.Format(last));
        if (last.State != TrainingState.Succeeded)
        {
            if (last.State == TrainingState.Cancelled) console.WriteLine("cancelled");
            return 1;
        }
        if (last.Metrics.Count > 0) console.Write(MetricTable.Build(last.Metrics, MetricTable.ByBaseline(last.BaselineMetrics), new Dictionary<string, double>()));
        if (last.Relatedness is { } relatedness) RelatednessTable.Write(console, relatedness);
        console.WriteLine($"{last.Model.Name} {last.Model.Version} is stored{(request.Activate ? " and active" : "")}.");
        return 0;

        async IAsyncEnumerable<Training> Remember(IAsyncEnumerable<Training> trainings)
        {
            await foreach (var training in trainings)
            {
                if (Interlocked.Exchange(ref id, training.TrainingId) is null && cancellation.IsCancellationRequested)
                    _ = client.CancelTrainingAsync(new() { TrainingId = training.TrainingId }, cancellationToken: CancellationToken.None);
                yield return training;
            }
        }
    }
}
