using Grpc.Core;
using GrpcRec.Server.Tests.Hosting;
using GrpcRec.Serving.Registry;
using GrpcRec.Serving.Tests;
using GrpcRec.V1;

namespace GrpcRec.Server.Tests.Jobs;

/// <summary>Evaluate over a real socket, with a worker that stands in trouble. The real worker is run by the interop tests.</summary>
public class EvaluateTests
{
    static Task<TestServer> StartAsync(string worker, bool hasModel = true) => TestServer.StartAsync(
        options => options with { Trainer = Path.Combine(options.DataRoot, "worker.sh") },
        folder =>
        {
            TroubledWorker.Write(folder, worker);
            File.WriteAllText(Path.Combine(folder, "events.csv"), "user_id,item_id\n");
            if (!hasModel) return;
            ArtifactFixture.Write(Path.Combine(folder, "models"), "shop", "v1", seed: 1);
            new ActivePointer("v1", null).Write(Path.Combine(folder, "models", "shop"));
        });

    static EvaluateRequest Request() => new() { Data = new() { Path = "events.csv" } };

    static readonly (Action<EvaluateRequest> Spoil, string Field, string Reason)[] Mistakes =
    [
        (r => r.Data = null, "data", "REQUIRED"),
        (r => r.Data.Path = "../events.csv", "data.path", "NOT_ALLOWED"),
        (r => r.Data.Cleaning = new() { MinUserEvents = 0 }, "data.cleaning.min_user_events", "OUT_OF_RANGE"),
        (r => r.Split = new() { Time = new() { TestShare = 2 } }, "split.time.test_share", "OUT_OF_RANGE"),
        (r => r.Tasks.Add(new TaskSpec { Kind = TaskKind.NextItem }), "tasks[0].name", "REQUIRED"),
        (r => r.Tasks.Add(new TaskSpec { Name = "t", Kind = TaskKind.Binary, Label = new() { Column = "c" } }), "tasks[0].label.column", "UNKNOWN_NAME"),
        (r => r.Resamples = -1, "resamples", "OUT_OF_RANGE"),
        (r => r.Resamples = 10_001, "resamples", "OUT_OF_RANGE"),
        (r => r.FromOneState = true, "from_one_state", "NOT_ALLOWED"), // by default one next_item task
        (r => r.Model = new() { Name = "../shop" }, "model.name", "INVALID_FORMAT"),
    ];

    [Fact]
    public async System.Threading.Tasks.Task Evaluate_EachMistake_IsBlamedOnItsField()
    {
        await using var server = await StartAsync(TroubledWorker.Hangs);
        foreach (var (spoil, field, reason) in Mistakes)
        {
            var request = Request();
            spoil(request);
            Assert.Single((await ErrorAsync(server, request)).Blames(field, reason).Fields);
        }
    }

    [Fact]
    public async System.Threading.Tasks.Task Evaluate_NoSuchModel_IsNotFound()
    {
        await using var server = await StartAsync(TroubledWorker.Hangs);
        var request = Request();
        request.Model = new() { Name = "shop", Version = "v9" };
        Assert.Equal("VERSION_NOT_FOUND", (await ErrorAsync(server, request)).Reason);
        await using var empty = await StartAsync(TroubledWorker.Hangs, hasModel: false);
        Assert.Equal("NO_MODEL", (await ErrorAsync(empty, Request())).Reason);
    }

    [Fact]
    public async System.Threading.Tasks.Task Evaluate_WorkerDies_IsAFaultOfOursWithoutItsOutput()
    {
        await using var server = await StartAsync(TroubledWorker.Dies);
        var error = await ErrorAsync(server, Request());
        Assert.Equal((StatusCode.Internal, "EVALUATION_DIED"), (error.Code, error.Reason));
        Assert.Contains("exit code 3", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("going down", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async System.Threading.Tasks.Task Evaluate_WhileOneRuns_IsRefused_AndAcceptedWhenThatCallerHasGone()
    {
        await using var server = await StartAsync(TroubledWorker.Hangs);
        var client = new TrainingService.TrainingServiceClient(server.Channel);
        using (client.Evaluate(Request()))
        {
            var refused = await UntilAsync(error => error.Code != StatusCode.Cancelled);
            Assert.Equal((StatusCode.ResourceExhausted, "EVALUATION_RUNS"), (refused.Code, refused.Reason));
            Assert.NotNull(refused.RetryInfo);
        }

        // Gone with its caller, it has freed the place: the next is taken, and only the worker, which hangs, keeps it waiting.
        await UntilAsync(error => error.Code == StatusCode.Cancelled);

        // A call that gets the place is let go after a moment; each error says who had it.
        async Task<WireError> UntilAsync(Func<WireError, bool> wanted)
        {
            while (true)
            {
                using var moment = new CancellationTokenSource(TimeSpan.FromSeconds(1));
                var error = await ErrorAsync(server, Request(), moment.Token);
                if (wanted(error)) return error;
                await System.Threading.Tasks.Task.Delay(20);
            }
        }
    }

    static async Task<WireError> ErrorAsync(TestServer server, EvaluateRequest request, CancellationToken cancellation = default)
    {
        using var call = new TrainingService.TrainingServiceClient(server.Channel).Evaluate(request, cancellationToken: cancellation);
        var exception = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None));
        // What the client cancels itself comes without details.
        return exception.StatusCode == StatusCode.Cancelled
            ? new WireError(exception.StatusCode, exception.Status.Detail, "", null, null)
            : WireError.From(exception);
    }
}
