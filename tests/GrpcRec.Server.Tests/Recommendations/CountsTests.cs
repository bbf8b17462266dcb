using Grpc.Core;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Server.Tests.Hosting;
using GrpcRec.Serving.Registry;
using GrpcRec.Serving.Tests;
using GrpcRec.V1;
using static GrpcRec.Server.Tests.Recommendations.Reference;

namespace GrpcRec.Server.Tests.Recommendations;

/// <summary>A model of counts through a real server: the same calls, filters and exports as of a network.</summary>
public sealed class CountsTests : IAsyncLifetime
{
    private static readonly ModelArtifact Counted = Create();

    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await TestServer.StartAsync(prepare: directory =>
    {
        var models = Path.Combine(directory, "models", "shop");
        System.IO.Directory.CreateDirectory(models);
        ModelArtifact.Write(
            Path.Combine(models, "v1"), Counted.Manifest, Counted.Items, Counted.TensorNames.ToDictionary(name => name, name => new WeightTensor(Counted.Shape(name).ToArray(), Counted.Weights(name).ToArray())),
            indices: Counted.IndexNames.ToDictionary(name => name, Counted.Indices));
        new ActivePointer("v1", null).Write(models);
    });

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Rank_SessionThatGrows_IsWhatTheEngineSays()
    {
        int[] session = [3, 7, 11, 3, 20, 39, 5, 6];
        for (var length = 1; length <= session.Length; length++)
        {
            var past = session[..length];
            var user = User([.. past.Select(item => Event(item))]);
            AssertRanked(Expected(past, new() { Slot = default, K = 40 }), await Client.RankAsync(new RankRequest { User = user, K = 40 }));

            // Seen, blocked, allowed and blocked categories, each on its own.
            AssertRanked(
                Expected(past, new() { Slot = default, K = 40, Excluded = [.. past.Append(1).Distinct().Order()] }),
                await Client.RankAsync(new RankRequest { User = user, K = 40, ExcludeSeen = true, BlockedItemIds = { "item-1" } }));
            AssertRanked(
                Expected(past, new() { Slot = default, K = 3, Filter = new() { AllowedCategories = [0, 2] } }),
                await Client.RankAsync(new RankRequest { User = user, K = 3, AllowedCategories = { "shoes", "rare" } }));
            AssertRanked(
                Expected(past, new() { Slot = default, K = 30, Filter = new() { BlockedCategories = [1] } }),
                await Client.RankAsync(new RankRequest { User = user, K = 30, BlockedCategories = { "hats" } }));
            AssertRanked(
                Expected(past, new() { Slot = default, K = 4, Filter = new() { AllowedItems = [2, 8, 9, 30] } }),
                await Client.RankAsync(new RankRequest { User = user, K = 4, CandidateItemIds = { "item-30", "item-8", "item-9", "item-2" } }));
        }
    }

    [Fact]
    public async Task Score_Candidates_GivesWeightsAndRates()
    {
        var reply = await Client.ScoreAsync(new ScoreRequest { User = User(Event(3), Event(7)), CandidateItemIds = { "item-4", "item-8", "item-33" } });
        using var engine = StepEngineFactory.Create(Counted, new EngineOptions { SlotCapacity = 1 });
        Assert.True(engine.TryRent(out var slot));
        engine.Advance([new EventRun(slot, 0, 2)], [3, 7], [0, 0]);
        var logits = new float[6];
        engine.ScoreCandidates(slot, [4, 8, 33], logits);
        for (var n = 0; n < 3; n++)
        {
            Assert.Equal(Sigmoid(logits[2 * n]), reply.Candidates[n].Predictions[0].Probability, 1e-6);
            Assert.Equal(logits[(2 * n) + 1], reply.Candidates[n].Predictions[1].Logit);
        }

        Assert.Equal(2, reply.Reading.EventsUsed);
    }

    [Fact]
    public async Task Model_OfCounts_IsNamedAndExportedAsWhatItIs()
    {
        var models = new ModelService.ModelServiceClient(_server.Channel);
        Assert.Equal("counts", (await models.GetModelAsync(new GetModelRequest())).Model.Encoder);

        var refusal = await Assert.ThrowsAsync<RpcException>(() => ExportAsync(models, "onnx"));
        Assert.Equal(StatusCode.FailedPrecondition, refusal.StatusCode);
        Assert.Contains("safetensors", refusal.Status.Detail, StringComparison.Ordinal);

        var file = await ExportAsync(models, "safetensors");
        var length = SafetensorsHeader.ReadLength(file, file.Length - SafetensorsHeader.PrefixBytes, 1 << 20);
        var entries = SafetensorsHeader.Parse(file.AsMemory(SafetensorsHeader.PrefixBytes, length), file.Length - SafetensorsHeader.PrefixBytes - length);
        Assert.Equal(
            [CountsManifest.NeighbourItem, CountsManifest.NeighbourOffset], entries.Where(entry => entry.IsInteger).Select(entry => entry.Name).Order(StringComparer.Ordinal));
        var items = entries.Single(entry => entry.Name == CountsManifest.NeighbourItem);
        var bytes = file.AsSpan(SafetensorsHeader.PrefixBytes + length + (int)items.Offset, (int)items.Bytes);
        Assert.Equal(Counted.Indices(CountsManifest.NeighbourItem).Data, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, int>(bytes).ToArray());
    }

    private RecommendationService.RecommendationServiceClient Client => new(_server.Channel);

    private static async Task<byte[]> ExportAsync(ModelService.ModelServiceClient models, string format)
    {
        using var call = models.ExportModel(new ExportModelRequest { Format = format });
        using var file = new MemoryStream();
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
            file.Write(call.ResponseStream.Current.Chunk.Span);
        return file.ToArray();
    }

    private static IEnumerable<(int Item, double Score)> Expected(int[] past, RankQuery query)
    {
        using var engine = StepEngineFactory.Create(Counted, new EngineOptions { SlotCapacity = 1 });
        Assert.True(engine.TryRent(out var slot));
        engine.Advance([new EventRun(slot, 0, past.Length)], past, new int[past.Length]);
        var asked = new RankQuery { Slot = slot, K = query.K, Excluded = query.Excluded, Filter = query.Filter };
        engine.Rank([asked]);
        return [.. asked.Result.Select(ranked => (ranked.Item, (double)ranked.Score))];
    }

    private static void AssertRanked(IEnumerable<(int Item, double Score)> expected, RankResponse reply) =>
        Assert.Equal(expected.Select(item => (ArtifactFixture.ItemId(item.Item), item.Score)), reply.Items.Select(item => (item.ItemId, item.Score)));

    /// <summary>Each item neighbours the next five; the last ten events count.</summary>
    private static ModelArtifact Create()
    {
        const int size = ArtifactFixture.CatalogSize, row = 5;
        var random = new Random(3);
        var manifest = ArtifactFixture.Manifest("shop", "v1", [ArtifactFixture.AllTasks[0] with { ItemBias = true }, ArtifactFixture.AllTasks[1]]) with
        {
            Encoder = new EncoderManifest
            {
                Kind = EncoderKind.Counts, HiddenSize = 10, GateOrder = "", Counts = new CountsManifest { Decay = 0.7, Neighbours = size * row },
                EmbeddingSize = 0, BehaviorEmbeddingSize = 0, Layers = 0, TiedItemEmbedding = false, BottomSize = 0, TowerSize = 0,
            },
        };
        return ModelArtifact.Create(
            manifest, ArtifactFixture.Items(),
            new Dictionary<string, WeightTensor>
            {
                [CountsManifest.NeighbourWeight] = new WeightTensor([size * row], [.. Enumerable.Range(0, size * row).Select(_ => (1 + random.Next(3)) / 4f)]),
                [ModelTensors.TaskItemBias("buy")] = new WeightTensor([size], [.. Enumerable.Range(0, size).Select(_ => random.NextSingle() - 2)]),
            },
            indices: new Dictionary<string, IndexTensor>
            {
                [CountsManifest.NeighbourOffset] = new IndexTensor([size + 1], [.. Enumerable.Range(0, size + 1).Select(item => item * row)]),
                [CountsManifest.NeighbourItem] = new IndexTensor([size * row], [.. Enumerable.Range(0, size * row).Select(n => ((n / row) + 1 + (n % row)) % size)]),
            });
    }
}
