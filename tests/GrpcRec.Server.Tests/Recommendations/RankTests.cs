using GrpcRec.Server.Tests.Hosting;
using GrpcRec.Serving.Tests;
using GrpcRec.V1;
using static GrpcRec.Server.Tests.Recommendations.Reference;

namespace GrpcRec.Server.Tests.Recommendations;

public sealed class RankTests : IAsyncLifetime
{
    private const double Tolerance = 1e-5;

    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await TestServer.StartWithModelAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Rank_Catalogue_IsWhatTheEngineSays()
    {
        var reply = await Client.RankAsync(new RankRequest { User = TwoEvents, K = 5 });
        using var reference = new Reference("v1", (3, 0), (7, 2));
        AssertRanked(reference.Rank(5).Select(item => (item.Item, (double)item.Score)), reply);
        Assert.All(reply.Items, item => Assert.Empty(item.Predictions));
        Assert.Equal(new SequenceReading { EventsUsed = 2 }, reply.Reading);
    }

    [Fact]
    public async Task Rank_SeenAndBlocked_AreLeftOut()
    {
        var request = new RankRequest { User = TwoEvents, K = ArtifactFixture.CatalogSize, ExcludeSeen = true, BlockedItemIds = { "item-0", "item-3", "gone", "item-0" } };
        var reply = await Client.RankAsync(request);
        using var reference = new Reference("v1", (3, 0), (7, 2));
        Assert.Equal(ArtifactFixture.CatalogSize - 3, reply.Items.Count);
        AssertRanked(reference.Rank(ArtifactFixture.CatalogSize, 0, 3, 7).Select(item => (item.Item, (double)item.Score)), reply);
    }

    [Fact]
    public async Task Rank_ExcludeSeen_CoversEventsThatAreTooOldToBeRead()
    {
        var events = Enumerable.Range(0, ArtifactFixture.MaxSequenceLength + 4).Select(i => Event(i)).ToArray();
        var reply = await Client.RankAsync(new RankRequest { User = User(events), K = ArtifactFixture.CatalogSize, ExcludeSeen = true });
        Assert.Equal(4, reply.Reading.TruncatedEvents);
        Assert.Equal(ArtifactFixture.CatalogSize - events.Length, reply.Items.Count);
        Assert.DoesNotContain(reply.Items, item => events.Any(one => one.ItemId == item.ItemId));
    }

    [Fact]
    public async Task Rank_ObjectiveOfNextItem_ScalesTheScore()
    {
        var plain = await Client.RankAsync(new RankRequest { User = TwoEvents, K = 5 });
        var scaled = await Client.RankAsync(new RankRequest { User = TwoEvents, K = 5, Objective = { new Objective { Task = "next", Weight = 2 } } });
        Assert.Equal(plain.Items.Select(item => item.ItemId), scaled.Items.Select(item => item.ItemId));
        Assert.Equal(plain.Items.Select(item => 2 * item.Score), scaled.Items.Select(item => item.Score));
    }

    [Fact]
    public async Task Rank_Candidates_GoesByTheWeightedSum()
    {
        var request = new RankRequest
        {
            User = TwoEvents,
            K = 4,
            CandidateItemIds = { "item-9", "item-2", "gone", "item-2", "item-30", "gone", "item-11", "item-3", "item-12" },
            Objective = { new Objective { Task = "buy", Weight = -3 }, new Objective { Task = "next", Weight = 0.5 } },
            BlockedItemIds = { "item-30" },
            ExcludeSeen = true,
            IncludePredictions = true,
        };
        var reply = await Client.RankAsync(request);
        using var reference = new Reference("v1", (3, 0), (7, 2));
        double Value(int item) => -3 * Sigmoid(reference.Candidate(item)[0]) + 0.5 * reference.Candidate(item)[1];
        AssertRanked(((int[])[9, 2, 11, 12]).Select(item => (item, Value(item))).OrderByDescending(item => item.Item2), reply);
        Assert.Equal(2, reply.UnknownCandidates);
        Assert.All(reply.Items, item => Assert.Equal(["buy", "next", "action"], item.Predictions.Select(prediction => prediction.Task)));
    }

    [Fact]
    public async Task Rank_TiedCandidates_KeepTheCataloguesOrder()
    {
        var reply = await Client.RankAsync(new RankRequest
        {
            User = TwoEvents, K = 3, CandidateItemIds = { "item-9", "item-2", "item-30" }, Objective = { new Objective { Task = "buy", Weight = 0 } },
        });
        Assert.Equal(["item-2", "item-9", "item-30"], reply.Items.Select(item => item.ItemId));
    }

    [Fact]
    public async Task Rank_NothingLeft_IsAnEmptyAnswer()
    {
        var reply = await Client.RankAsync(new RankRequest { User = TwoEvents, K = 2, CandidateItemIds = { "gone", "item-3" }, ExcludeSeen = true });
        Assert.Empty(reply.Items);
        Assert.Equal(1, reply.UnknownCandidates);
    }

    [Fact]
    public async Task Rank_IncludePredictions_AgreesWithScore()
    {
        var ranked = await Client.RankAsync(new RankRequest { User = TwoEvents, K = 3, IncludePredictions = true });
        var scored = await Client.ScoreAsync(new ScoreRequest { User = TwoEvents, CandidateItemIds = { ranked.Items.Select(item => item.ItemId) } });
        foreach (var (rank, score) in ranked.Items.Zip(scored.Candidates))
        {
            Assert.Equal(score.Predictions, rank.Predictions);
            Assert.Equal(rank.Score, rank.Predictions[1].Logit, Tolerance);
        }
    }

    [Fact]
    public async Task Rank_CandidatesByNextItemAlone_AreWhatTheCatalogueSaysOfThem()
    {
        string[] candidates = ["item-9", "item-2", "gone", "item-2", "item-30", "item-11", "item-3", "item-12"];
        var reply = await Client.RankAsync(new RankRequest { User = TwoEvents, K = 4, CandidateItemIds = { candidates }, BlockedItemIds = { "item-30" }, ExcludeSeen = true });
        using var reference = new Reference("v1", (3, 0), (7, 2));
        var whole = reference.Rank(ArtifactFixture.CatalogSize);
        AssertRanked(whole.Where(item => item.Item is 9 or 2 or 11 or 12).Select(item => (item.Item, (double)item.Score)), reply);
        Assert.Equal(1, reply.UnknownCandidates);
    }

    [Fact]
    public async Task Rank_MoreCandidatesThanTheCatalogueHas_AreRanked()
    {
        var candidates = Enumerable.Range(0, 200).Select(i => i < 100 ? $"gone-{i}" : $"item-{i % 3}");
        var reply = await Client.RankAsync(new RankRequest { User = TwoEvents, K = 200, CandidateItemIds = { candidates } });
        Assert.Equal(["item-0", "item-1", "item-2"], reply.Items.Select(item => item.ItemId).Order(StringComparer.Ordinal));
        Assert.Equal(100, reply.UnknownCandidates);
    }

    [Theory]
    [InlineData(new[] { "shoes" }, new string[0])]
    [InlineData(new[] { "rare" }, new string[0])]
    [InlineData(new[] { "shoes", "rare", "shoes" }, new string[0])]
    [InlineData(new string[0], new[] { "hats" })]
    [InlineData(new string[0], new[] { "hats", "shoes", "rare" })]
    [InlineData(new[] { "shoes", "hats" }, new[] { "shoes" })]
    [InlineData(new[] { "hats" }, new[] { "hats" })]
    public async Task Rank_Categories_LeaveOutTheOthers(string[] allowed, string[] blocked)
    {
        bool Passes(int item)
        {
            var category = ArtifactFixture.CategoryOf(item) is var dense and >= 0 ? ArtifactFixture.Categories[dense] : "";
            return (allowed.Length == 0 || allowed.Contains(category)) && !blocked.Contains(category);
        }

        using var reference = new Reference("v1", (3, 0), (7, 2));
        var expected = reference.Rank(ArtifactFixture.CatalogSize).Where(item => Passes(item.Item) && item.Item is not 3 and not 7).Select(item => (item.Item, (double)item.Score)).ToArray();
        var request = new RankRequest { User = TwoEvents, K = ArtifactFixture.CatalogSize, ExcludeSeen = true, AllowedCategories = { allowed }, BlockedCategories = { blocked } };
        AssertRanked(expected, await Client.RankAsync(request));

        // The same by the candidates' way, in which every task is scored.
        request.CandidateItemIds.Add(Enumerable.Range(0, ArtifactFixture.CatalogSize).Select(ArtifactFixture.ItemId));
        AssertRanked(expected, await Client.RankAsync(request));
        request.Objective.Add(new Objective { Task = "next", Weight = 1 });
        request.Objective.Add(new Objective { Task = "buy", Weight = 0 });
        AssertRanked(expected, await Client.RankAsync(request));
    }

    [Fact]
    public async Task Rank_UnknownCategory_SaysWhichThereAre()
    {
        var error = await WireError.OfAsync(() => Client.RankAsync(Request(1, request => request.AllowedCategories.Add("boots"))).ResponseAsync);
        error.Blames("allowed_categories[0]", "UNKNOWN_NAME");
        Assert.Contains("\"shoes\", \"hats\", \"rare\"", error.BadRequest!.FieldViolations[0].Description, StringComparison.Ordinal);
    }

    public static TheoryData<string, RankRequest, string, string> BadRequests { get; } = new()
    {
        { "k absent", Request(0), "k", "OUT_OF_RANGE" },
        { "k negative", Request(-1), "k", "OUT_OF_RANGE" },
        { "k past the catalogue", Request(ArtifactFixture.CatalogSize + 1), "k", "OUT_OF_RANGE" },
        { "k past the candidates", Request(3, request => request.CandidateItemIds.Add(["item-1", "item-2"])), "k", "OUT_OF_RANGE" },
        { "unknown task", Request(1, request => request.Objective.Add(new Objective { Task = "sell", Weight = 1 })), "objective[0].task", "UNKNOWN_NAME" },
        { "binary over the catalogue", Request(1, request => request.Objective.Add(new Objective { Task = "buy", Weight = 1 })), "objective[0].task", "NOT_ALLOWED" },
        { "multiclass", Request(1, request => (request.CandidateItemIds, request.Objective).Fill("action", 1)), "objective[0].task", "NOT_ALLOWED" },
        { "sequence task", Request(1, request => (request.CandidateItemIds, request.Objective).Fill("category", 1)), "objective[0].task", "NOT_ALLOWED" },
        { "NaN weight", Request(1, request => (request.CandidateItemIds, request.Objective).Fill("buy", double.NaN)), "objective[0].weight", "NOT_FINITE" },
        { "huge weight", Request(1, request => (request.CandidateItemIds, request.Objective).Fill("buy", 1e300)), "objective[0].weight", "OUT_OF_RANGE" },
        { "negative over the catalogue", Request(1, request => request.Objective.Add(new Objective { Task = "next", Weight = -1 })), "objective[0].weight", "OUT_OF_RANGE" },
        { "too many candidates", Request(1, request => request.CandidateItemIds.Add(Enumerable.Repeat("item-1", 1_001))), "candidate_item_ids", "TOO_MANY" },
        { "too many blocked", Request(1, request => request.BlockedItemIds.Add(Enumerable.Repeat("item-1", 10_001))), "blocked_item_ids", "TOO_MANY" },
        { "unknown blocked category", Request(1, request => request.BlockedCategories.Add(["shoes", "boots"])), "blocked_categories[1]", "UNKNOWN_NAME" },
        { "empty category", Request(1, request => request.AllowedCategories.Add("")), "allowed_categories[0]", "REQUIRED" },
        { "long category", Request(1, request => request.AllowedCategories.Add(new string('a', 257))), "allowed_categories[0]", "TOO_LONG" },
        { "too many categories", Request(1, request => request.BlockedCategories.Add(Enumerable.Repeat("shoes", 1_001))), "blocked_categories", "TOO_MANY" },
        { "empty blocked id", Request(1, request => request.BlockedItemIds.Add("")), "blocked_item_ids[0]", "REQUIRED" },
    };

    [Theory]
    [MemberData(nameof(BadRequests))]
    public async Task Rank_BadInput_BlamesTheField(string what, RankRequest request, string field, string reason)
    {
        Assert.NotEmpty(what);
        var error = await WireError.OfAsync(() => Client.RankAsync(request).ResponseAsync);
        error.Blames(field, reason);
        Assert.Single(error.Fields);
    }

    [Fact]
    public async Task Rank_TaskNamedTwice_IsRefused()
    {
        var request = Request(1, one => (one.CandidateItemIds, one.Objective).Fill("buy", 1));
        request.Objective.Add(request.Objective[0].Clone());
        (await WireError.OfAsync(() => Client.RankAsync(request).ResponseAsync)).Blames("objective[1].task", "REPEATED");
    }

    private static UserState TwoEvents => User(Event(3), Event(7, "purchase"));

    private RecommendationService.RecommendationServiceClient Client => new(_server.Channel);

    private static RankRequest Request(int k, Action<RankRequest>? change = null)
    {
        var request = new RankRequest { User = TwoEvents, K = k };
        change?.Invoke(request);
        return request;
    }

    private static void AssertRanked(IEnumerable<(int Item, double Score)> expected, RankResponse reply)
    {
        Assert.Equal(expected.Select(item => ArtifactFixture.ItemId(item.Item)), reply.Items.Select(item => item.ItemId));
        foreach (var ((_, score), item) in expected.Zip(reply.Items))
            Assert.Equal(score, item.Score, Tolerance);
    }
}

/// <summary>One candidate and one objective, for requests that need both.</summary>
internal static class RankRequestParts
{
    public static void Fill(this (Google.Protobuf.Collections.RepeatedField<string> Candidates, Google.Protobuf.Collections.RepeatedField<Objective> Objective) request, string task, double weight)
    {
        request.Candidates.Add("item-1");
        request.Objective.Add(new Objective { Task = task, Weight = weight });
    }
}
