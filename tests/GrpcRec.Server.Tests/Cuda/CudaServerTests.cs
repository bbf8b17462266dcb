using System.CommandLine;
using Grpc.Core;
using Grpc.Health.V1;
using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Cuda;
using GrpcRec.Server.Commands;
using GrpcRec.Server.Hosting;
using GrpcRec.Server.Tests.Hosting;
using GrpcRec.Server.Tests.Recommendations;
using GrpcRec.Serving.Tests;
using GrpcRec.V1;
using Microsoft.Extensions.Configuration;
using static GrpcRec.Server.Tests.Recommendations.Reference;

namespace GrpcRec.Server.Tests.Cuda;

/// <summary>Servers started with `--engine cuda` on the stand-in driver, beside ones on the CPU.</summary>
[Collection(StandIn.Collection)]
public sealed class CudaServerTests
{
    // Of a probability or a logit: f16 products and the device's tanh, as in the engine's own table.
    private const double Tolerance = 2e-3;

    [SkippableTheory]
    [InlineData("7.0")]
    [InlineData("7.5")]
    [InlineData("8.0")]
    [InlineData("8.6")]
    [InlineData("8.9")]
    [InlineData("9.0")]
    public async Task ScoreAndRank_OnTheDevice_AnswerAsTheCpuDoes(string capability)
    {
        var cuda = StandIn.Begin(capability);
        await using var device = await TestServer.StartWithModelAsync(options => options with { Engine = EngineKind.Cuda, Cuda = cuda, Threads = 2 });
        await using var cpu = await TestServer.StartWithModelAsync(options => options with { Engine = EngineKind.Cpu });
        var (onDevice, onCpu) = (new RecommendationService.RecommendationServiceClient(device.Channel), new RecommendationService.RecommendationServiceClient(cpu.Channel));
        var random = new Random(5);
        for (var n = 0; n < 6; n++)
        {
            var user = User([.. Enumerable.Range(0, 1 + (n * 3)).Select(_ => Event(random.Next(ArtifactFixture.CatalogSize)))]);
            var score = new ScoreRequest { User = user, CandidateItemIds = { "item-1", "item-9", "item-30" } };
            var (ours, theirs) = (Numbers(await onDevice.ScoreAsync(score)), Numbers(await onCpu.ScoreAsync(score)));
            Assert.Equal(theirs.Length, ours.Length);
            Assert.All(ours.Zip(theirs), pair => Assert.InRange(pair.First, pair.Second - Tolerance, pair.Second + Tolerance));

            var rank = new RankRequest { User = user, K = 10, ExcludeSeen = true };
            var (mine, reference) = (await onDevice.RankAsync(rank), await onCpu.RankAsync(rank));
            AssertSameButForTies(reference, mine);
        }
    }

    [SkippableFact]
    public async Task DeviceLoss_InFlightGetUnavailable_ThenItAnswersAgain()
    {
        var cuda = StandIn.Begin();
        await using var server = await TestServer.StartWithModelAsync(options => options with { Engine = EngineKind.Cuda, Cuda = cuda, Threads = 1 });
        var client = new RecommendationService.RecommendationServiceClient(server.Channel);
        var request = new RankRequest { User = User(Event(3), Event(7)), K = 3 };
        var before = await client.RankAsync(request);
        StandIn.Set("FAIL", "kernel:1:700");
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await client.RankAsync(request));
        Assert.Equal(StatusCode.Unavailable, refused.StatusCode);
        Assert.DoesNotContain("700", refused.Status.Detail, StringComparison.Ordinal);
        StandIn.Set("FAIL", "");
        Assert.Equal(before.Items, (await client.RankAsync(request)).Items);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, await HealthOf(server, ""));
    }

    [SkippableFact]
    public async Task DeviceLoss_NotComingBack_IsUnhealthyAndUnavailable()
    {
        var cuda = StandIn.Begin() with { OnLoss = DeviceLossAction.Fail };
        await using var server = await TestServer.StartWithModelAsync(options => options with { Engine = EngineKind.Cuda, Cuda = cuda, Threads = 1 });
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, await HealthOf(server, ""));
        var client = new RecommendationService.RecommendationServiceClient(server.Channel);
        var request = new RankRequest { User = User(Event(3)), K = 3 };
        StandIn.Set("FAIL", "kernel:1:719");
        for (var n = 0; n < 3; n++)
            Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(async () => await client.RankAsync(request))).StatusCode);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, await HealthOf(server, ""));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, await HealthOf(server, HealthReporter.Device));
    }

    [SkippableFact]
    public async Task DeviceLoss_ToTheCpu_AnswersAndSaysThatTheDeviceIsGone()
    {
        var cuda = StandIn.Begin() with { OnLoss = DeviceLossAction.Cpu };
        await using var server = await TestServer.StartWithModelAsync(options => options with { Engine = EngineKind.Cuda, Cuda = cuda, Threads = 1 });
        var client = new RecommendationService.RecommendationServiceClient(server.Channel);
        var request = new RankRequest { User = User(Event(3)), K = 3 };
        StandIn.Set("FAIL", "kernel:1:719");
        await Assert.ThrowsAsync<RpcException>(async () => await client.RankAsync(request));
        Assert.Equal(3, (await client.RankAsync(request)).Items.Count);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, await HealthOf(server, ""));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, await HealthOf(server, HealthReporter.Device));
    }

    [Fact]
    public async Task Health_NoEngineOnADevice_KnowsNoDevice()
    {
        await using var server = await TestServer.StartWithModelAsync(options => options with { Engine = EngineKind.Cpu });
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, await HealthOf(server, ""));
        Assert.Equal(StatusCode.NotFound, (await Assert.ThrowsAsync<RpcException>(async () => await HealthOf(server, HealthReporter.Device))).StatusCode);
    }

    [Fact]
    public void CommandLine_OfTheDevice_IsRead()
    {
        var options = new ServeOptions();
        var command = new Command("serve");
        options.AddTo(command);
        var none = new ConfigurationBuilder().Build();
        var read = options.Read(
            command.Parse(["--engine", "cuda", "--cuda-device", "2", "--cuda-kernels", "k.fatbin", "--cuda-memory", "1000000", "--cuda-product", "bfloat16", "--on-device-loss", "cpu"]), none);
        Assert.Equal(EngineKind.Cuda, read.Engine);
        Assert.Equal(
            new CudaOptions { Device = 2, Kernels = "k.fatbin", MemoryBudgetBytes = 1_000_000, Product = CudaProduct.Bfloat16, OnLoss = DeviceLossAction.Cpu }, read.Cuda);
        Assert.Contains("reinitialize", Assert.Throws<ServerOptionsException>(() => options.Read(command.Parse(["--on-device-loss", "panic"]), none)).Message, StringComparison.Ordinal);
    }

    private static double[] Numbers(ScoreResponse reply) =>
        [.. reply.Candidates.SelectMany(item => item.Predictions).Concat(reply.SequencePredictions).SelectMany(Numbers)];

    private static IEnumerable<double> Numbers(TaskPrediction prediction) => prediction.ValueCase switch
    {
        TaskPrediction.ValueOneofCase.Probability => [prediction.Probability],
        TaskPrediction.ValueOneofCase.Classes => prediction.Classes.Probabilities,
        _ => [prediction.Logit],
    };

    /// <summary>The same items in the same order, but where two scores are within the tolerance.</summary>
    private static void AssertSameButForTies(RankResponse expected, RankResponse actual)
    {
        Assert.Equal(expected.Items.Count, actual.Items.Count);
        for (var n = 0; n < expected.Items.Count; n++)
        {
            Assert.InRange(actual.Items[n].Score, expected.Items[n].Score - Tolerance, expected.Items[n].Score + Tolerance);
            if (actual.Items[n].ItemId == expected.Items[n].ItemId)
                continue;
            var there = expected.Items.FirstOrDefault(item => item.ItemId == actual.Items[n].ItemId);
            Assert.InRange(Math.Abs((there?.Score ?? expected.Items[^1].Score) - expected.Items[n].Score), 0, 2 * Tolerance);
        }
    }

    private static async Task<HealthCheckResponse.Types.ServingStatus> HealthOf(TestServer server, string service) =>
        (await new Health.HealthClient(server.Channel).CheckAsync(new HealthCheckRequest { Service = service })).Status;
}
