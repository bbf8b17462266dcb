using Google.Rpc;
using Grpc.Core;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Server.Tests.Hosting;
using GrpcRec.Serving.Tests.Batching;
using GrpcRec.V1;
using Microsoft.Extensions.DependencyInjection;
using static GrpcRec.Server.Tests.Recommendations.Reference;

namespace GrpcRec.Server.Tests.Recommendations;

/// <summary>What callers see when the engine is slow or broken.</summary>
public sealed class OverloadTests
{
    [Fact]
    public async Task Score_QueueFull_IsResourceExhaustedWithRetryInfo()
    {
        var engine = new TaskCompletionSource<GatedEngine>();
        await using var server = await StartAsync(engine);
        var gate = await engine.Task;
        var running = Score(server);
        await gate.StandsBeforeStepAsync();
        // One waits in the queue, so of two more at least one is refused; which one is the network's choice.
        var others = new[] { Score(server), Score(server) };
        var refused = await Task.WhenAny(others);

        var error = await WireError.OfAsync(() => refused);
        Assert.Equal(StatusCode.ResourceExhausted, error.Code);
        Assert.Equal("QUEUE_FULL", error.Reason);
        Assert.True(error.RetryInfo!.RetryDelay.ToTimeSpan() > TimeSpan.Zero);
        gate.Open();
        await running;
        await Assert.Single(others, other => other != refused);
    }

    [Fact]
    public async Task Score_DeadlinePassed_IsDeadlineExceededAndNeverStepped()
    {
        var engine = new TaskCompletionSource<GatedEngine>();
        // The expired request keeps its place until the lane's next turn, and the last one may come before that.
        await using var server = await StartAsync(engine, queueCapacity: 2);
        var gate = await engine.Task;
        var running = Score(server);
        await gate.StandsBeforeStepAsync();
        var before = gate.Steps.Count;
        var exception = await Assert.ThrowsAsync<RpcException>(() =>
            new RecommendationService.RecommendationServiceClient(server.Channel).ScoreAsync(Request(9), deadline: DateTimeOffset.FromUnixTimeMilliseconds(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() + 500).UtcDateTime).ResponseAsync);
        Assert.Equal(StatusCode.DeadlineExceeded, exception.StatusCode);
        // The server counts from when the request reached it, so its deadline is a little after the caller's.
        await Task.Delay(TimeSpan.FromMilliseconds(500));
        gate.Open();
        await running;
        await Score(server);
        Assert.DoesNotContain(gate.Steps.Skip(before), step => step.Contains(9));
    }

    [Fact]
    public async Task Score_EngineThrows_IsInternalWithoutInnardsAndTheServerGoesOn()
    {
        var engine = new TaskCompletionSource<GatedEngine>();
        await using var server = await StartAsync(engine);
        var gate = await engine.Task;
        gate.Open();
        gate.FailsOn = items => items.Contains(13);
        var error = await WireError.OfAsync(() => Score(server, 13));
        Assert.Equal(StatusCode.Internal, error.Code);
        Assert.Equal("ENGINE_FAULT", error.Reason);
        Assert.DoesNotContain("planted", error.Message, StringComparison.Ordinal);
        await Score(server);
    }

    [Fact]
    public async Task Rpc_UnexpectedException_IsInternalWithANumberOnly()
    {
        // A clock that throws stands for any fault of ours.
        await using var server = await TestServer.StartWithModelAsync(replace: services => services.AddSingleton<TimeProvider>(new BrokenClock()));
        var client = new RecommendationService.RecommendationServiceClient(server.Channel);
        var exception = await Assert.ThrowsAsync<RpcException>(() =>
            client.ScoreAsync(Request(1), deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(1)).ResponseAsync);
        var error = WireError.From(exception);
        Assert.Equal(StatusCode.Internal, error.Code);
        Assert.Equal("INTERNAL", error.Reason);
        Assert.DoesNotContain("planted", error.Message, StringComparison.Ordinal);
        var id = exception.GetRpcStatus()!.GetDetail<RequestInfo>().RequestId;
        Assert.Equal(32, id.Length);
        Assert.Contains(id, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dispose_RequestInFlight_IsAnsweredFirst()
    {
        var engine = new TaskCompletionSource<GatedEngine>();
        await using var server = await StartAsync(engine);
        var gate = await engine.Task;
        var running = Score(server);
        await gate.StandsBeforeStepAsync();
        var stopping = server.Server.DisposeAsync();
        gate.Open();
        await running;
        await stopping;
    }

    /// <summary>One slot, and places in the queue, behind a gate that is open while the version is warmed.</summary>
    private static Task<TestServer> StartAsync(TaskCompletionSource<GatedEngine> engine, int queueCapacity = 1) => TestServer.StartWithModelAsync(
        options => options with { QueueCapacity = queueCapacity, Threads = 1 },
        services => services.AddSingleton<Func<ModelArtifact, EngineOptions, IStepEngine>>((artifact, _) =>
        {
            var gate = new GatedEngine(StepEngineFactory.Create(artifact, new EngineOptions { Kind = EngineKind.Scalar, SlotCapacity = 1 }));
            gate.ExpectWarmUp();
            engine.SetResult(gate);
            return gate;
        }));

    private static Task<ScoreResponse> Score(TestServer server, int item = 1) =>
        new RecommendationService.RecommendationServiceClient(server.Channel).ScoreAsync(Request(item)).ResponseAsync;

    private static ScoreRequest Request(int item) => new() { User = User(Event(item)), CandidateItemIds = { "item-1" } };

    private sealed class BrokenClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => throw new InvalidOperationException("planted fault");
    }
}
