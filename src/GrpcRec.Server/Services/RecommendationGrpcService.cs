using Grpc.Core;
using GrpcRec.Server.Mapping;
using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Batching;
using GrpcRec.Serving.Registry;
using GrpcRec.V1;

namespace GrpcRec.Server.Services;

/// <summary>The wire end of scoring and ranking.</summary>
public sealed class RecommendationGrpcService(ModelRegistry registry, RequestLimits limits, TimeProvider time) : RecommendationService.RecommendationServiceBase
{
    private const string SendWhole = "Send the user's events whole with Score or Rank (user.sequence).";

    public override async Task<ScoreResponse> Score(ScoreRequest request, ServerCallContext context)
    {
        using var model = Acquire(request.Model);
        var mapping = new ScoreMapping(request, model, limits);
        return mapping.ToWire(await RunAsync(model, mapping.ToBatch(Remaining(context), context.CancellationToken)));
    }

    public override async Task<RankResponse> Rank(RankRequest request, ServerCallContext context)
    {
        using var model = Acquire(request.Model);
        var mapping = new RankMapping(request, model, limits);
        return mapping.ToWire(await RunAsync(model, mapping.ToBatch(Remaining(context), context.CancellationToken)));
    }

    public override Task ScoreStream(IAsyncStreamReader<ScoreStreamRequest> requestStream, IServerStreamWriter<ScoreStreamResponse> responseStream, ServerCallContext context) =>
        throw StatusMapping.Unimplemented("ScoreStream", "Call Score, many at a time on one connection.");

    public override Task RankStream(IAsyncStreamReader<RankStreamRequest> requestStream, IServerStreamWriter<RankStreamResponse> responseStream, ServerCallContext context) =>
        throw StatusMapping.Unimplemented("RankStream", "Call Rank, many at a time on one connection.");

    public override Task<ObserveResponse> Observe(ObserveRequest request, ServerCallContext context) =>
        throw StatusMapping.Unimplemented("Observe", SendWhole);

    public override Task ObserveStream(IAsyncStreamReader<ObserveStreamRequest> requestStream, IServerStreamWriter<ObserveStreamResponse> responseStream, ServerCallContext context) =>
        throw StatusMapping.Unimplemented("ObserveStream", SendWhole);

    public override Task<ExplainResponse> Explain(ExplainRequest request, ServerCallContext context) =>
        throw StatusMapping.Unimplemented("Explain", "Call Score with and without an event and compare.");

    public override Task<ForgetResponse> Forget(ForgetRequest request, ServerCallContext context) =>
        throw StatusMapping.Unimplemented("Forget", "This server keeps nothing of a user between requests; remove the user's rows from the training files and train again.");

    private ModelHandle Acquire(ModelSelector? selector)
    {
        var (name, version) = ModelMapping.ReadSelector(selector?.Name, selector?.Version);
        var acquired = registry.Acquire(name, version);
        return acquired.Value ?? throw StatusMapping.ToException(acquired.Rejection!);
    }

    private static async ValueTask<BatchRequest> RunAsync(ModelHandle model, BatchRequest request) =>
        await model.Scheduler.RunAsync(request) is { } rejection ? throw StatusMapping.ToException(rejection) : request;

    private TimeSpan? Remaining(ServerCallContext context) =>
        context.Deadline == DateTime.MaxValue ? null : context.Deadline - time.GetUtcNow().UtcDateTime;
}
