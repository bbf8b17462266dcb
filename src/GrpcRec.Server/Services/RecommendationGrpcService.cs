using Grpc.Core;
using GrpcRec.Server.Mapping;
using GrpcRec.V1;

namespace GrpcRec.Server.Services;

/// <summary>The wire end of scoring and ranking.</summary>
public sealed class RecommendationGrpcService : RecommendationService.RecommendationServiceBase
{
    private const string SendWhole = "Send the user's events whole with Score or Rank (user.sequence).";

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
}
