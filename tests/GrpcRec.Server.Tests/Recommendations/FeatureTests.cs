using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Server.Tests.Hosting;
using GrpcRec.Serving.Registry;
using GrpcRec.Serving.Tests;
using GrpcRec.V1;
using static GrpcRec.Server.Tests.Recommendations.Reference;
using FeatureSource = GrpcRec.Engine.Models.FeatureSource;

namespace GrpcRec.Server.Tests.Recommendations;

/// <summary>A model with features of every source through a real server, beside the scalar engine on indices that are written out here.</summary>
public sealed class FeatureTests : IAsyncLifetime
{
    private const double Tolerance = 1e-5;

    private static readonly ModelManifest Manifest = WithFeatures(ArtifactFixture.Manifest("shop", "v1"));

    private TestServer _server = null!;

    private RecommendationService.RecommendationServiceClient Client => new(_server.Channel);

    public async Task InitializeAsync() => _server = await TestServer.StartAsync(prepare: directory =>
    {
        var models = Path.Combine(directory, "models", "shop");
        Directory.CreateDirectory(models);
        ModelArtifact.Write(Path.Combine(models, "v1"), Manifest, ArtifactFixture.Items(), ArtifactFixture.Weights(Manifest, seed: 5));
        new ActivePointer("v1", null).Write(models);
    });

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Score_WithContext_IsWhatTheEngineSaysOfTheIndices()
    {
        // The second event's item is not known: the gap of the third is counted from the first.
        var reply = await ScoreAsync(
            Values(("tab", "search"), ("age", "old")),
            Event(3, "view", 1_000, Values(("tab", "home")), 0.25),
            new Event { ItemId = "gone", TimestampMs = 1_500 },
            Event(7, "purchase", 3_500, Values(("tab", "search"))),
            Event(11, "cart", 63_500, null, 4));
        AssertIs(reply, request: [2, 2], (3, 0, [1, 0, 1]), (7, 2, [2, 2, 0]), (11, 1, [0, 3, 2]));
    }

    [Fact]
    public async Task Score_NothingKnown_IsIndexZeroOfAll()
    {
        var reply = await ScoreAsync(null, Event(3, "view", 0), Event(7, "view", 5_000));
        AssertIs(reply, request: [0, 0], (3, 0, [0, 0, 0]), (7, 0, [0, 0, 0]));
    }

    [Fact]
    public async Task Score_UnknownValue_IsAsIfAbsent()
    {
        var without = await ScoreAsync(null, Event(3), Event(7));
        var strange = await ScoreAsync(Values(("age", "ancient"), ("tab", "")), Event(3, context: Values(("tab", "cellar"))), Event(7));
        Assert.Equal(without, strange);
        // And a known one is not: neither of an event, nor of the request.
        Assert.NotEqual(without, await ScoreAsync(null, Event(3, context: Values(("tab", "home"))), Event(7)));
        Assert.NotEqual(without, await ScoreAsync(Values(("age", "old")), Event(3), Event(7)));
    }

    [Fact]
    public async Task Score_OlderThanTheModelReads_StillCountsForTheGap()
    {
        Event[] events = [.. Enumerable.Range(0, ArtifactFixture.MaxSequenceLength + 1).Select(n => Event(n, "view", 1_000 * (n + 1)))];
        var reply = await ScoreAsync(null, events);
        Assert.Equal(1, reply.Reading.TruncatedEvents);
        AssertIs(reply, [0, 0], [.. Enumerable.Range(1, ArtifactFixture.MaxSequenceLength).Select(n => (n, 0, (int[])[0, 2, 0]))]);
    }

    [Fact]
    public async Task Rank_WithContext_ChangesThePredictionsAlone()
    {
        var request = new RankRequest { User = User(Event(3, "view", 1_000), Event(7, "cart", 2_000)), K = 5, IncludePredictions = true };
        var without = await Client.RankAsync(request);
        request.Context = Values(("tab", "search"), ("age", "young"));
        var with = await Client.RankAsync(request);
        Assert.Equal(without.Items.Select(item => (item.ItemId, item.Score)), with.Items.Select(item => (item.ItemId, item.Score)));
        var scored = await Client.ScoreAsync(new ScoreRequest { User = request.User, Context = request.Context, CandidateItemIds = { with.Items.Select(item => item.ItemId) } });
        Assert.Equal(scored.Candidates.Select(candidate => candidate.Predictions), with.Items.Select(item => item.Predictions));
        Assert.NotEqual(without.Items[0].Predictions[0], with.Items[0].Predictions[0]);

        // Ranked by a task that reads it, the order may change: it is that of the scores.
        request.Objective.Add(new Objective { Task = "buy", Weight = 1 });
        request.CandidateItemIds.Add(Enumerable.Range(0, 40).Select(ArtifactFixture.ItemId));
        var ranked = await Client.RankAsync(request);
        var all = await Client.ScoreAsync(new ScoreRequest { User = request.User, Context = request.Context, CandidateItemIds = { request.CandidateItemIds } });
        Assert.Equal(all.Candidates.OrderByDescending(candidate => candidate.Predictions[0].Probability).Take(5).Select(candidate => candidate.ItemId), ranked.Items.Select(item => item.ItemId));
    }

    public static TheoryData<string, Context?, Context?, string, string> Bad { get; } = new()
    {
        { "unknown name of a request", Values(("tap", "home")), null, "context.values[\"tap\"]", "UNKNOWN_NAME" },
        { "unknown name of an event", null, Values(("age", "old")), "user.sequence.events[1].context.values[\"age\"]", "UNKNOWN_NAME" },
        { "name of a feature that is not of the context", null, Values(("gap", "9")), "user.sequence.events[1].context.values[\"gap\"]", "UNKNOWN_NAME" },
        { "empty name", Values(("", "home")), null, "context.values[\"\"]", "REQUIRED" },
        { "long name", Values((new string('ü', 33), "home")), null, $"context.values[\"{new string('ü', 33)}\"]", "TOO_LONG" },
        { "long value", null, Values(("tab", new string('ü', 129))), "user.sequence.events[1].context.values[\"tab\"]", "TOO_LONG" },
        { "too many values", Values([.. Enumerable.Range(0, 17).Select(n => ($"n{n}", "1"))]), null, "context.values", "TOO_MANY" },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public async Task Score_BadContext_BlamesTheField(string what, Context? ofRequest, Context? ofEvent, string field, string reason)
    {
        Assert.NotEmpty(what);
        var error = await WireError.OfAsync(() => ScoreAsync(ofRequest, Event(1), Event(2, context: ofEvent)));
        Assert.Single(error.Blames(field, reason).Fields);
        var ranking = new RankRequest { User = User(Event(1), Event(2, context: ofEvent)), Context = ofRequest, K = 1 };
        Assert.Single((await WireError.OfAsync(() => Client.RankAsync(ranking).ResponseAsync)).Blames(field, reason).Fields);
    }

    [Fact]
    public async Task Score_UnknownName_IsToldWhichThereAre()
    {
        var error = await WireError.OfAsync(() => ScoreAsync(Values(("tap", "home")), Event(1)));
        Assert.Contains("it knows \"tab\", \"age\"", error.Message, StringComparison.Ordinal);
        await using var plain = await TestServer.StartWithModelAsync();
        var client = new RecommendationService.RecommendationServiceClient(plain.Channel);
        error = await WireError.OfAsync(() => client.ScoreAsync(new ScoreRequest { User = User(Event(1, context: Values(("tab", "home")))), CandidateItemIds = { "item-1" } }).ResponseAsync);
        error.Blames("user.sequence.events[0].context.values[\"tab\"]", "UNKNOWN_NAME");
        Assert.Contains("reads no context of events", error.Message, StringComparison.Ordinal);
        // A context that says nothing is none.
        await client.ScoreAsync(new ScoreRequest { User = User(Event(1, context: new Context())), Context = new Context(), CandidateItemIds = { "item-1" } });
    }

    [Fact]
    public async Task GetModel_WithFeatures_TellsThem()
    {
        var model = (await new ModelService.ModelServiceClient(_server.Channel).GetModelAsync(new GetModelRequest())).Model;
        Assert.Equal(
            [
                new Feature { Name = "tab", Source = V1.FeatureSource.Context, Values = { "home", "search" }, ValueCount = 2 },
                new Feature { Name = "shelf", Source = V1.FeatureSource.ItemCategory },
                new Feature { Name = "gap", Source = V1.FeatureSource.TimeGap, Boundaries = { 1_000, 60_000 } },
                new Feature { Name = "watched", Source = V1.FeatureSource.Value, Boundaries = { 0.5 } },
            ],
            model.EventFeatures);
        Assert.Equal(
            [
                new Feature { Name = "tab", Source = V1.FeatureSource.Context, Values = { "home", "search" }, ValueCount = 2 },
                new Feature { Name = "age", Source = V1.FeatureSource.Context, Values = { Enumerable.Repeat("", 100).Select((_, n) => n == 0 ? "young" : n == 1 ? "old" : $"age-{n}") }, ValueCount = 120 },
            ],
            model.RequestFeatures);
    }

    private static ModelManifest WithFeatures(ModelManifest manifest) => manifest with
    {
        EventFeatures =
        [
            new() { Name = "tab", Source = FeatureSource.Context, EmbeddingSize = 3, Values = ["home", "search"] },
            new() { Name = "shelf", Source = FeatureSource.ItemCategory, EmbeddingSize = 2 },
            new() { Name = "gap", Source = FeatureSource.TimeGap, EmbeddingSize = 2, Boundaries = [1_000, 60_000] },
            new() { Name = "watched", Source = FeatureSource.Value, EmbeddingSize = 1, Boundaries = [0.5] },
        ],
        RequestFeatures =
        [
            new() { Name = "tab", EmbeddingSize = 4, Values = ["home", "search"] },
            new() { Name = "age", EmbeddingSize = 2, Values = ["young", "old", .. Enumerable.Range(2, 118).Select(n => $"age-{n}")] },
        ],
        Tasks = [.. manifest.Tasks.Select(task => task with { ItemBias = task.Name == "buy" })],
    };

    private static Event Event(int item, string behavior = "", long timestamp = 0, Context? context = null, double? value = null)
    {
        var one = Reference.Event(item, behavior, timestamp);
        one.Context = context;
        if (value is { } number)
            one.Value = number;
        return one;
    }

    private static Context Values(params (string Name, string Value)[] values)
    {
        var context = new Context();
        foreach (var (name, value) in values)
            context.Values.Add(name, value);
        return context;
    }

    private async Task<ScoreResponse> ScoreAsync(Context? context, params Event[] events) =>
        await Client.ScoreAsync(new ScoreRequest { User = User(events), Context = context, CandidateItemIds = { "item-5", "item-6" } });

    /// <param name="request">Indices of tab and age.</param>
    /// <param name="events">With the indices of tab, gap and watched.</param>
    private static void AssertIs(ScoreResponse reply, int[] request, params (int Item, int Behavior, int[] Features)[] events)
    {
        using var engine = StepEngineFactory.Create(
            ModelArtifact.Create(Manifest, ArtifactFixture.Items(), ArtifactFixture.Weights(Manifest, seed: 5)), new EngineOptions { Kind = EngineKind.Scalar, SlotCapacity = 1 });
        Assert.True(engine.TryRent(out var slot));
        // Three behaviours; tab has 3 rows and the gap 4.
        foreach (var (item, behavior, features) in events)
            engine.Step([new StepEvent(slot, item, behavior + (3 * (features[0] + (3 * (features[1] + (4 * features[2]))))))]);
        var logits = new float[2 * engine.CandidateWidth];
        engine.ScoreCandidates(slot, request, [5, 6], logits);
        for (var candidate = 0; candidate < 2; candidate++)
        {
            Assert.Equal(Sigmoid(logits[candidate * engine.CandidateWidth]), reply.Candidates[candidate].Predictions[0].Probability, Tolerance);
            Assert.Equal(logits[(candidate * engine.CandidateWidth) + 1], reply.Candidates[candidate].Predictions[1].Logit, Tolerance);
        }
    }
}
