using Google.Protobuf;

namespace GrpcRec.Interop.Tests;

/// <summary>buf: the contract is clean, and a caller that knows only the address gets on by reflection.</summary>
public sealed class BufTests(ServingFixture server, TrainingFixture training) : IClassFixture<ServingFixture>, IClassFixture<TrainingFixture>
{
    [SkippableFact]
    public async Task Lint_Contract_IsClean()
    {
        var run = await ExternalProgram.RunAsync(Installed.Buf, ["lint", Path.Combine(Installed.Root, "protos")]);
        Assert.Equal("", run.MustSucceed().Output);
    }

    [SkippableFact]
    public async Task Curl_ByReflection_ScoresAndRanks()
    {
        const string user = """{"sequence":{"events":[{"item_id":"item-1","behavior":"view"}]}}""";
        var ranked = await CurlAsync(server.Http, "RecommendationService/Rank", $$"""{"user":{{user}},"k":3}""");
        Assert.Equal(3, ranked.Split("\"itemId\"").Length - 1);
        var scored = await CurlAsync(server.Http, "RecommendationService/Score", $$"""{"user":{{user}},"candidate_item_ids":["item-5"]}""");
        Assert.Contains("\"probability\"", scored, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Curl_WithContext_ScoresByIt()
    {
        async Task<string> ScoreAsync(string ofEvent, string ofRequest) => await CurlAsync(server.Http, "RecommendationService/Score", $$$"""
            {"user":{"sequence":{"events":[{"item_id":"item-1","context":{"values":{{{ofEvent}}}}}]}},"context":{"values":{{{ofRequest}}}},"candidate_item_ids":["item-5"],"tasks":["buy"]}
            """);
        var nothing = await ScoreAsync("{}", "{}");
        Assert.NotEqual(nothing, await ScoreAsync("""{"tab":"search"}""", "{}"));
        Assert.NotEqual(nothing, await ScoreAsync("{}", """{"age":"old"}"""));
        Assert.Equal(nothing, await ScoreAsync("""{"tab":"cellar"}""", """{"age":"ancient"}"""));
        var model = await CurlAsync(server.Http, "ModelService/GetModel", "{}");
        Assert.Contains("FEATURE_SOURCE_CONTEXT", model, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Curl_ContextMisspelt_IsToldTheNamesThereAre()
    {
        var run = await ExternalProgram.RunAsync(Installed.Buf, Arguments(
            server.Http, "RecommendationService/Score", """{"user":{"sequence":{"events":[{"item_id":"item-1"}]}},"context":{"values":{"aeg":"old"}},"candidate_item_ids":["item-5"]}"""));
        Assert.Equal(3 * 8, run.ExitCode);
        Assert.Contains("it knows", run.Errors, StringComparison.Ordinal);
        Assert.Contains("age", run.Errors, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Curl_BadRequest_EndsWithTheCodeOfInvalidArgument()
    {
        var run = await ExternalProgram.RunAsync(Installed.Buf, Arguments(server.Http, "RecommendationService/Rank", "{}"));
        // buf's exit code is 8 times gRPC's code.
        Assert.Equal(3 * 8, run.ExitCode);
        Assert.Contains("invalid_argument", run.Errors, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Curl_Train_StreamsProgressAndTheModelAnswers()
    {
        _ = Installed.Trainer;
        await using var trainer = await training.StartAsync();
        var progress = await CurlAsync(trainer.Address, "TrainingService/Train", JsonFormatter.Default.Format(training.Request(epochs: 2)));
        Assert.Contains("TRAINING_STATE_RUNNING", progress, StringComparison.Ordinal);
        Assert.Contains("TRAINING_STATE_SUCCEEDED", progress, StringComparison.Ordinal);
        Assert.Contains("\"hr@10\"", progress, StringComparison.Ordinal);
        var ranked = await CurlAsync(trainer.Address, "RecommendationService/Rank", """{"user":{"sequence":{"events":[{"item_id":"unknown"}]}},"k":3}""");
        Assert.Contains("\"world\"", ranked, StringComparison.Ordinal);
    }

    static async Task<string> CurlAsync(string address, string method, string body) =>
        (await ExternalProgram.RunAsync(Installed.Buf, Arguments(address, method, body))).MustSucceed().Output;

    static string[] Arguments(string address, string method, string body) =>
        ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", body, $"{address}/grpcrec.v1.{method}"];
}
