using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Reflection.V1Alpha;
using GrpcRec.V1;

namespace GrpcRec.Server.Tests.Hosting;

/// <summary>What a client finds on any server: health, reflection, and clear errors from every corner.</summary>
public sealed class ContractTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await TestServer.StartAsync(options => options with { MaxMessageBytes = 4_096 });

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData("")]
    [InlineData("grpcrec.v1.RecommendationService")]
    [InlineData("grpcrec.v1.ModelService")]
    [InlineData("grpcrec.v1.TrainingService")]
    public async Task Health_ServerUp_IsServing(string service)
    {
        var reply = await new Health.HealthClient(_server.Channel).CheckAsync(new HealthCheckRequest { Service = service });
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, reply.Status);
    }

    [Fact]
    public async Task Reflection_On_ListsServicesAndGivesTheContract()
    {
        using var call = new ServerReflection.ServerReflectionClient(_server.Channel).ServerReflectionInfo();
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" });
        Assert.True(await call.ResponseStream.MoveNext(default));
        var names = call.ResponseStream.Current.ListServicesResponse.Service.Select(service => service.Name).ToArray();
        Assert.Contains("grpcrec.v1.RecommendationService", names);
        Assert.Contains("grpcrec.v1.TrainingService", names);
        Assert.Contains("grpc.health.v1.Health", names);

        await call.RequestStream.WriteAsync(new ServerReflectionRequest { FileContainingSymbol = "grpcrec.v1.RecommendationService" });
        Assert.True(await call.ResponseStream.MoveNext(default));
        Assert.NotEmpty(call.ResponseStream.Current.FileDescriptorResponse.FileDescriptorProto);
        await call.RequestStream.CompleteAsync();
    }

    [Fact]
    public async Task Reflection_Off_IsUnimplemented()
    {
        await using var server = await TestServer.StartAsync(options => options with { Reflection = false });
        using var call = new ServerReflection.ServerReflectionClient(server.Channel).ServerReflectionInfo();
        var exception = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(default));
        Assert.Equal(StatusCode.Unimplemented, exception.StatusCode);
    }

    public static TheoryData<string, Func<ChannelBase, Task>> NotYet { get; } = new()
    {
        { "ScoreStream", channel => Recommend(channel).ScoreStream().ResponseStream.MoveNext(default) },
        { "RankStream", channel => Recommend(channel).RankStream().ResponseStream.MoveNext(default) },
        { "Observe", channel => Recommend(channel).ObserveAsync(new ObserveRequest()).ResponseAsync },
        { "ObserveStream", channel => Recommend(channel).ObserveStream().ResponseStream.MoveNext(default) },
        { "Explain", channel => Recommend(channel).ExplainAsync(new ExplainRequest()).ResponseAsync },
        { "Forget", channel => Recommend(channel).ForgetAsync(new ForgetRequest()).ResponseAsync },
        { "SetTraffic", channel => new ModelService.ModelServiceClient(channel).SetTrafficAsync(new SetTrafficRequest()).ResponseAsync },
        { "UpsertItems", channel => new ModelService.ModelServiceClient(channel).UpsertItemsAsync(new UpsertItemsRequest()).ResponseAsync },
    };

    [Theory]
    [MemberData(nameof(NotYet))]
    public async Task Rpc_NotYetAvailable_IsUnimplementedAndSaysWhatToUse(string rpc, Func<ChannelBase, Task> call)
    {
        var error = await WireError.OfAsync(() => call(_server.Channel));
        Assert.Equal(StatusCode.Unimplemented, error.Code);
        Assert.Equal("NOT_YET_AVAILABLE", error.Reason);
        Assert.StartsWith($"{rpc} is not yet available. ", error.Message, StringComparison.Ordinal);
        Assert.True(error.Message.Length > rpc.Length + 40);
    }

    [Fact]
    public async Task Rpc_UnknownMethod_IsUnimplementedWithReason()
    {
        var method = new Method<ScoreRequest, ScoreResponse>(
            MethodType.Unary, "grpcrec.v1.RecommendationService", "Nonsense",
            Marshallers.Create(message => message.ToByteArray(), ScoreRequest.Parser.ParseFrom),
            Marshallers.Create(message => message.ToByteArray(), ScoreResponse.Parser.ParseFrom));
        var error = await WireError.OfAsync(() => _server.Channel.CreateCallInvoker().AsyncUnaryCall(method, null, default, new ScoreRequest()).ResponseAsync);
        Assert.Equal(StatusCode.Unimplemented, error.Code);
        Assert.Equal("UNKNOWN_METHOD", error.Reason);
    }

    [Fact]
    public async Task Message_PastTheSizeLimit_IsRefusedWithReason()
    {
        var request = new ScoreRequest();
        request.CandidateItemIds.AddRange(Enumerable.Range(0, 1_000).Select(i => $"item-{i}"));
        var error = await WireError.OfAsync(() => Recommend(_server.Channel).ScoreAsync(request).ResponseAsync);
        Assert.Equal(StatusCode.ResourceExhausted, error.Code);
        Assert.Equal("MESSAGE_TOO_LARGE", error.Reason);
    }

    [Theory]
    [InlineData("grpcrec.v1.RecommendationService/Score", "ScoreRequest", new byte[] { 0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f })]
    [InlineData("grpcrec.v1.RecommendationService/Rank", "RankRequest", new byte[] { 0x07 })]
    [InlineData("grpcrec.v1.ModelService/GetModel", "GetModelRequest", new byte[] { 0x0a, 0x05, 0x01 })]
    public async Task Message_BytesThatAreNone_AreInvalidArgument(string rpc, string message, byte[] payload)
    {
        var (code, details) = await SendRawAsync(_server.Address, rpc, payload);
        Assert.Equal("3", code);
        Assert.Contains(message, details.Message, StringComparison.Ordinal);
        Assert.Equal("MALFORMED_MESSAGE", details.GetDetail<ErrorInfo>().Reason);
        Assert.Single(details.GetDetail<BadRequest>().FieldViolations);
    }

    /// <summary>A unary gRPC call made by hand over HTTP/2, so that the bytes can be anything.</summary>
    private static async Task<(string Code, Google.Rpc.Status Details)> SendRawAsync(Uri address, string rpc, byte[] payload)
    {
        byte[] frame = [0, 0, 0, 0, (byte)payload.Length, .. payload];
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, rpc))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(frame) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } },
        };
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        using var response = await client.SendAsync(request);
        await response.Content.ReadAsByteArrayAsync();
        string Read(string name) => (response.TrailingHeaders.TryGetValues(name, out var late) ? late : response.Headers.GetValues(name)).Single();
        var encoded = Read("grpc-status-details-bin");
        return (Read("grpc-status"), Google.Rpc.Status.Parser.ParseFrom(Convert.FromBase64String(encoded.PadRight((encoded.Length + 3) / 4 * 4, '='))));
    }

    private static RecommendationService.RecommendationServiceClient Recommend(ChannelBase channel) => new(channel);
}
