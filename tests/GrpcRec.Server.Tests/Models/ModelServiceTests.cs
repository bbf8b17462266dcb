using Grpc.Core;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Server.Tests.Hosting;
using GrpcRec.Serving.Tests;
using GrpcRec.V1;
using static GrpcRec.Server.Tests.Recommendations.Reference;
using TaskKind = GrpcRec.V1.TaskKind;

namespace GrpcRec.Server.Tests.Models;

public sealed class ModelServiceTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await TestServer.StartWithModelAsync(null, null, "v1", "v2", "v3");

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task GetModel_Default_DescribesTheActiveVersion()
    {
        var model = (await Models.GetModelAsync(new GetModelRequest())).Model;
        Assert.Equal(Version("v1"), model.Model_);
        Assert.Equal(VersionState.Active, model.State);
        Assert.Equal("lstm", model.Encoder);
        Assert.Equal("float32", model.Precision);
        Assert.Equal(40, model.CatalogSize);
        Assert.Equal(["view", "cart", "purchase"], model.Behaviors);
        Assert.Equal(["buy", "next", "action", "category"], model.Tasks.Select(task => task.Name));
        Assert.Equal([TaskKind.Binary, TaskKind.NextItem, TaskKind.Multiclass, TaskKind.Multiclass], model.Tasks.Select(task => task.Kind));
        Assert.Equal([true, true, true, false], model.Tasks.Select(task => task.NeedsCandidate));
        Assert.Equal(16, model.MaxSequenceLength);
        Assert.True(model.ParameterCount > 0);
        Assert.Equal(0.25, model.Metrics["hr@10"]);
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), model.CreatedAt.ToDateTimeOffset());
    }

    [Fact]
    public async Task Versions_LoadActivateRollback_AreSeenByListAndScore()
    {
        Assert.Equal([("v3", VersionState.Stored), ("v2", VersionState.Stored), ("v1", VersionState.Active)], await ListAsync());
        var error = await WireError.OfAsync(() => ScoreAsync("v2"));
        Assert.Equal(StatusCode.FailedPrecondition, error.Code);
        Assert.Equal("VERSION_NOT_LOADED", error.Reason);

        Assert.Equal(VersionState.Loaded, (await Models.LoadModelAsync(new LoadModelRequest { Model = Version("v2") })).Model.State);
        Assert.Equal("v2", (await ScoreAsync("v2")).Model.Version);
        Assert.Equal("v1", (await ScoreAsync()).Model.Version);

        var activated = await Models.ActivateVersionAsync(new ActivateVersionRequest { Model = Version("v3") });
        Assert.Equal("v1", activated.PreviousVersion);
        Assert.Equal([("v3", VersionState.Active), ("v2", VersionState.Loaded), ("v1", VersionState.Loaded)], await ListAsync());
        Assert.Equal("v3", (await ScoreAsync()).Model.Version);

        var back = await Models.RollbackAsync(new RollbackRequest());
        Assert.Equal("v3", back.PreviousVersion);
        Assert.Equal("v1", back.Model.Model_.Version);
        Assert.Equal("v1", (await ScoreAsync()).Model.Version);
    }

    /// <summary>The weights of v1, in int8.</summary>
    [Fact]
    public async Task Load_VersionInInt8_SaysSoAndAnswersInIt()
    {
        ArtifactFixture.Write(
            Path.Combine(_server.Directory, "models"), "shop", "v1-int8", seed: '1', precision: new PrecisionManifest(Precision.Int8, "ndcg@10", 0.2, 0.2, 0.005));
        Assert.Equal("int8", (await Models.LoadModelAsync(new LoadModelRequest { Model = Version("v1-int8") })).Model.Precision);

        using var engine = StepEngineFactory.Create(
            ArtifactFixture.Create("shop", "v1", '1'), new EngineOptions { Kind = EngineKind.Cpu, Precision = Precision.Int8, SlotCapacity = 1 });
        Assert.True(engine.TryRent(out var slot));
        engine.Step([new StepEvent(slot, 1, 0)]);
        engine.Step([new StepEvent(slot, 2, 0)]);
        var logits = new float[engine.CandidateWidth];
        engine.ScoreCandidates(slot, [3], logits);
        var reduced = (await ScoreAsync("v1-int8")).Candidates[0].Predictions[0].Probability;
        Assert.Equal(Sigmoid(logits[0]), reduced, 1e-12);
        Assert.InRange(Math.Abs((await ScoreAsync("v1")).Candidates[0].Predictions[0].Probability - reduced), 1e-7, 1e-2);
    }

    [Fact]
    public async Task Activate_WhileRequestsRun_NoneFails()
    {
        using var stop = new CancellationTokenSource();
        var callers = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            var versions = new HashSet<string>();
            while (!stop.IsCancellationRequested)
                versions.Add((await ScoreAsync()).Model.Version);
            return versions;
        })).ToArray();
        for (var i = 0; i < 20; i++)
        {
            if (i % 4 == 3)
                await Models.RollbackAsync(new RollbackRequest { Name = "shop" });
            else
                await Models.ActivateVersionAsync(new ActivateVersionRequest { Model = Version($"v{(i % 3) + 1}") });
        }

        await stop.CancelAsync();
        var seen = (await Task.WhenAll(callers)).SelectMany(versions => versions).Distinct();
        Assert.True(seen.Count() > 1);
    }

    [Fact]
    public async Task Activate_DamagedVersion_IsRefusedAndListedWithItsReason()
    {
        var weights = Path.Combine(_server.Directory, "models", "shop", "v2", ModelArtifact.WeightsFile);
        await using (var file = File.OpenWrite(weights))
            file.SetLength(file.Length - 1);
        var error = await WireError.OfAsync(() => Models.ActivateVersionAsync(new ActivateVersionRequest { Model = Version("v2") }).ResponseAsync);
        Assert.Equal(StatusCode.FailedPrecondition, error.Code);
        Assert.Equal("VERSION_UNUSABLE", error.Reason);
        var listed = (await Models.GetModelAsync(new GetModelRequest { Model = new ModelSelector { Name = "shop", Version = "v2" } })).Model;
        Assert.Equal(VersionState.Failed, listed.State);
        Assert.Equal(error.Message, listed.Error);
        Assert.Equal("v1", (await ScoreAsync()).Model.Version);
    }

    [Fact]
    public async Task Activate_NamesMissingOrWrong_BlamesThem()
    {
        var missing = await WireError.OfAsync(() => Models.ActivateVersionAsync(new ActivateVersionRequest()).ResponseAsync);
        missing.Blames("model.name", "REQUIRED").Blames("model.version", "REQUIRED");
        var wrong = await WireError.OfAsync(() => Models.LoadModelAsync(new LoadModelRequest { Model = new ModelVersion { Name = "Shop", Version = "../v1" } }).ResponseAsync);
        wrong.Blames("model.name", "INVALID_FORMAT").Blames("model.version", "INVALID_FORMAT");
        (await WireError.OfAsync(() => Models.RollbackAsync(new RollbackRequest { Name = "a/b" }).ResponseAsync)).Blames("name", "INVALID_FORMAT");
    }

    [Fact]
    public async Task Rollback_NothingBefore_IsFailedPrecondition()
    {
        var error = await WireError.OfAsync(() => Models.RollbackAsync(new RollbackRequest()).ResponseAsync);
        Assert.Equal(StatusCode.FailedPrecondition, error.Code);
        Assert.Equal("NO_PREVIOUS_VERSION", error.Reason);
    }

    private ModelService.ModelServiceClient Models => new(_server.Channel);

    private static ModelVersion Version(string version) => new() { Name = "shop", Version = version };

    private async Task<IEnumerable<(string, VersionState)>> ListAsync() =>
        (await Models.ListModelsAsync(new ListModelsRequest())).Models.Select(model => (model.Model_.Version, model.State));

    private Task<ScoreResponse> ScoreAsync(string version = "") => new RecommendationService.RecommendationServiceClient(_server.Channel).ScoreAsync(
        new ScoreRequest { Model = new ModelSelector { Version = version }, User = User(Event(1), Event(2)), CandidateItemIds = { "item-3" } }).ResponseAsync;
}
