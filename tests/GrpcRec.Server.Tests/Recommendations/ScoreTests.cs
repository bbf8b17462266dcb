using Grpc.Core;
using GrpcRec.Server.Tests.Hosting;
using GrpcRec.Serving.Tests;
using GrpcRec.V1;
using static GrpcRec.Server.Tests.Recommendations.Reference;

namespace GrpcRec.Server.Tests.Recommendations;

public sealed class ScoreTests : IAsyncLifetime
{
    // The vectorised engine and the scalar reference add in another order.
    private const double Tolerance = 1e-5;

    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await TestServer.StartWithModelAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Score_AllTasks_IsWhatTheEngineSays()
    {
        var reply = await Client.ScoreAsync(new ScoreRequest
        {
            User = User(Event(3, "view", 1_000), Event(7, "purchase", 1_000), Event(3, timestamp: 2_000)),
            CandidateItemIds = { "item-5", "nobody", "item-9", "item-5" },
        });

        using var reference = new Reference("v1", (3, 0), (7, 2), (3, 0));
        Assert.Equal(new ModelVersion { Name = "shop", Version = "v1" }, reply.Model);
        Assert.Equal(new SequenceReading { EventsUsed = 3 }, reply.Reading);
        Assert.Equal(["item-5", "nobody", "item-9", "item-5"], reply.Candidates.Select(candidate => candidate.ItemId));
        Assert.Equal([true, false, true, true], reply.Candidates.Select(candidate => candidate.Known));
        Assert.Empty(reply.Candidates[1].Predictions);
        Assert.Equal(reply.Candidates[0], reply.Candidates[3]);
        foreach (var (candidate, item) in (ReadOnlySpan<(int, int)>)[(0, 5), (2, 9)])
        {
            var logits = reference.Candidate(item);
            var predictions = reply.Candidates[candidate].Predictions;
            Assert.Equal(["buy", "next", "action"], predictions.Select(prediction => prediction.Task));
            Assert.Equal(Sigmoid(logits[0]), predictions[0].Probability, Tolerance);
            Assert.Equal(logits[1], predictions[1].Logit, Tolerance);
            AssertClose(Softmax(logits[2], logits[3], logits[4]), predictions[2].Classes.Probabilities);
            Assert.Equal(1, predictions[2].Classes.Probabilities.Sum(), 1e-12);
        }

        var sequence = Assert.Single(reply.SequencePredictions);
        Assert.Equal("category", sequence.Task);
        AssertClose(Softmax(reference.Sequence()), sequence.Classes.Probabilities);
    }

    [Fact]
    public async Task Score_TasksNamed_AnswersThoseInTheModelsOrder()
    {
        var reply = await Client.ScoreAsync(new ScoreRequest { User = User(Event(1)), CandidateItemIds = { "item-2" }, Tasks = { "action", "buy" } });
        Assert.Equal(["buy", "action"], reply.Candidates[0].Predictions.Select(prediction => prediction.Task));
        Assert.Empty(reply.SequencePredictions);
    }

    [Fact]
    public async Task Score_SequenceTaskAlone_NeedsNoCandidate()
    {
        var reply = await Client.ScoreAsync(new ScoreRequest { User = User(Event(1)), Tasks = { "category" } });
        Assert.Empty(reply.Candidates);
        Assert.Single(reply.SequencePredictions);
        reply = await Client.ScoreAsync(new ScoreRequest { User = User(Event(1)), Tasks = { "category" }, CandidateItemIds = { "item-1", "x" } });
        Assert.Equal([true, false], reply.Candidates.Select(candidate => candidate.Known));
        Assert.All(reply.Candidates, candidate => Assert.Empty(candidate.Predictions));
    }

    [Fact]
    public async Task Score_UnknownItems_AreSkippedAndCounted()
    {
        var reply = await Client.ScoreAsync(Request(User(Event(3), new Event { ItemId = "gone" }, Event(7), new Event { ItemId = "gone too" })));
        using var reference = new Reference("v1", (3, 0), (7, 0));
        Assert.Equal(new SequenceReading { EventsUsed = 2, UnknownEvents = 2 }, reply.Reading);
        Assert.Equal(Sigmoid(reference.Candidate(5)[0]), reply.Candidates[0].Predictions[0].Probability, Tolerance);
    }

    [Fact]
    public async Task Score_OnlyUnknownItems_IsAnsweredFromTheZeroState()
    {
        var reply = await Client.ScoreAsync(Request(User(new Event { ItemId = "gone" })));
        using var reference = new Reference("v1");
        Assert.Equal(new SequenceReading { UnknownEvents = 1 }, reply.Reading);
        Assert.Equal(Sigmoid(reference.Candidate(5)[0]), reply.Candidates[0].Predictions[0].Probability, Tolerance);
    }

    [Fact]
    public async Task Score_LongerThanTheModelReads_ReadsTheLastEvents()
    {
        var items = Enumerable.Range(0, ArtifactFixture.MaxSequenceLength + 5).Select(i => (Item: i, Behavior: 0)).ToArray();
        var reply = await Client.ScoreAsync(Request(User([.. items.Select(one => Event(one.Item))])));
        using var reference = new Reference("v1", items[5..]);
        Assert.Equal(new SequenceReading { EventsUsed = ArtifactFixture.MaxSequenceLength, TruncatedEvents = 5 }, reply.Reading);
        Assert.Equal(Sigmoid(reference.Candidate(5)[0]), reply.Candidates[0].Predictions[0].Probability, Tolerance);
    }

    [Fact]
    public async Task Score_ManyAtOnce_EachIsAnsweredBitEqualToAlone()
    {
        var requests = Enumerable.Range(0, 100).Select(i => Request(User([.. Enumerable.Range(0, 1 + i % 20).Select(j => Event((i + 3 * j) % ArtifactFixture.CatalogSize))]))).ToArray();
        var together = await Task.WhenAll(requests.Select(request => Client.ScoreAsync(request).ResponseAsync));
        for (var i = 0; i < requests.Length; i++)
            Assert.Equal(await Client.ScoreAsync(requests[i]), together[i]);
    }

    public static TheoryData<string, ScoreRequest, string, string> BadRequests { get; } = new()
    {
        { "no user", new ScoreRequest { CandidateItemIds = { "item-1" } }, "user", "REQUIRED" },
        { "no source", Request(new UserState()), "user.sequence", "REQUIRED" },
        { "empty sequence", Request(User()), "user.sequence.events", "REQUIRED" },
        { "too many events", Request(User([.. Enumerable.Repeat(Event(1), 2_049)])), "user.sequence.events", "TOO_MANY" },
        { "new events beside a sequence", Request(new UserState { Sequence = User(Event(1)).Sequence, NewEvents = { Event(2) } }), "user.new_events", "NOT_ALLOWED" },
        { "NaN value", Request(User(Event(1), new Event { ItemId = "item-1", Value = double.NaN })), "user.sequence.events[1].value", "NOT_FINITE" },
        { "infinite value", Request(User(new Event { ItemId = "item-1", Value = double.NegativeInfinity })), "user.sequence.events[0].value", "NOT_FINITE" },
        { "unknown behaviour", Request(User(Event(1, "stare"))), "user.sequence.events[0].behavior", "UNKNOWN_NAME" },
        { "times backwards", Request(User(Event(1, timestamp: 2_000), Event(1), Event(1, timestamp: 1_999))), "user.sequence.events[2].timestamp_ms", "OUT_OF_ORDER" },
        { "empty event id", Request(User(new Event())), "user.sequence.events[0].item_id", "REQUIRED" },
        { "long event id", Request(User(new Event { ItemId = new string('ä', 129) })), "user.sequence.events[0].item_id", "TOO_LONG" },
        { "unknown task", Request(User(Event(1)), "buy", "sell"), "tasks[1]", "UNKNOWN_NAME" },
        { "repeated task", Request(User(Event(1)), "buy", "buy"), "tasks[1]", "REPEATED" },
        { "no candidates", new ScoreRequest { User = User(Event(1)) }, "candidate_item_ids", "REQUIRED" },
        { "too many candidates", new ScoreRequest { User = User(Event(1)), CandidateItemIds = { Enumerable.Repeat("item-1", 1_001) } }, "candidate_item_ids", "TOO_MANY" },
        { "empty candidate", new ScoreRequest { User = User(Event(1)), CandidateItemIds = { "item-1", "" } }, "candidate_item_ids[1]", "REQUIRED" },
        { "long candidate", new ScoreRequest { User = User(Event(1)), CandidateItemIds = { new string('x', 257) } }, "candidate_item_ids[0]", "TOO_LONG" },
        { "name that is none", Request(User(Event(1)), new ModelSelector { Name = "../shop" }), "model.name", "INVALID_FORMAT" },
        { "version that is none", Request(User(Event(1)), new ModelSelector { Name = "shop", Version = "v1/.." }), "model.version", "INVALID_FORMAT" },
    };

    [Theory]
    [MemberData(nameof(BadRequests))]
    public async Task Score_BadInput_BlamesTheField(string what, ScoreRequest request, string field, string reason)
    {
        Assert.NotEmpty(what);
        var error = await WireError.OfAsync(() => Client.ScoreAsync(request).ResponseAsync);
        error.Blames(field, reason);
        Assert.Single(error.Fields);
    }

    [Fact]
    public async Task Score_AtEveryLimit_IsAnswered()
    {
        var request = new ScoreRequest
        {
            User = User([.. Enumerable.Repeat(new Event { ItemId = new string('ä', 128), Value = double.MaxValue, TimestampMs = long.MaxValue }, 2_048)]),
            CandidateItemIds = { Enumerable.Repeat(new string('x', 256), 1_000) },
        };
        var reply = await Client.ScoreAsync(request);
        Assert.Equal(2_048, reply.Reading.UnknownEvents);
        Assert.Equal(1_000, reply.Candidates.Count);
    }

    [Fact]
    public async Task Score_ManyFaults_AreToldTogetherAndBounded()
    {
        var request = Request(User([.. Enumerable.Repeat(Event(1, "stare"), 100)]), "sell");
        request.CandidateItemIds.Add("");
        var error = await WireError.OfAsync(() => Client.ScoreAsync(request).ResponseAsync);
        Assert.Equal(33, error.Fields.Count);
        Assert.Contains("70 further", error.BadRequest!.FieldViolations[^1].Description, StringComparison.Ordinal);
        Assert.Contains("\"view\", \"cart\", \"purchase\"", error.Message, StringComparison.Ordinal);
        Assert.Contains("(and 101 more)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Score_SessionKeyOrToken_IsUnimplemented()
    {
        foreach (var user in (UserState[])[new UserState { SessionKey = "me" }, new UserState { SessionToken = Google.Protobuf.ByteString.CopyFrom(1) }])
        {
            var error = await WireError.OfAsync(() => Client.ScoreAsync(Request(user)).ResponseAsync);
            Assert.Equal(StatusCode.Unimplemented, error.Code);
            Assert.StartsWith("user.session_", error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("music", "", StatusCode.NotFound, "MODEL_NOT_FOUND")]
    [InlineData("shop", "v7", StatusCode.NotFound, "VERSION_NOT_FOUND")]
    public async Task Score_ModelThatIsNotThere_IsNotFound(string name, string version, StatusCode code, string reason)
    {
        var error = await WireError.OfAsync(() => Client.ScoreAsync(Request(User(Event(1)), new ModelSelector { Name = name, Version = version })).ResponseAsync);
        Assert.Equal(code, error.Code);
        Assert.Equal(reason, error.Reason);
    }

    [Fact]
    public async Task Score_NoModelYet_SaysWhatToDo()
    {
        await using var empty = await TestServer.StartAsync();
        var error = await WireError.OfAsync(() => new RecommendationService.RecommendationServiceClient(empty.Channel).ScoreAsync(Request(User(Event(1)))).ResponseAsync);
        Assert.Equal(StatusCode.FailedPrecondition, error.Code);
        Assert.Equal("NO_MODEL", error.Reason);
    }

    private RecommendationService.RecommendationServiceClient Client => new(_server.Channel);

    private static ScoreRequest Request(UserState user, params string[] tasks) => new() { User = user, CandidateItemIds = { "item-5" }, Tasks = { tasks } };

    private static ScoreRequest Request(UserState user, ModelSelector model) => new() { User = user, CandidateItemIds = { "item-5" }, Model = model };

    private static void AssertClose(double[] expected, IEnumerable<double> actual)
    {
        Assert.Equal(expected.Length, actual.Count());
        foreach (var (e, a) in expected.Zip(actual))
            Assert.Equal(e, a, Tolerance);
    }
}
