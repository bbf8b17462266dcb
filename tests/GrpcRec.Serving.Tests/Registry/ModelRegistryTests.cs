using GrpcRec.Engine.Models;
using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Batching;
using GrpcRec.Serving.Registry;

namespace GrpcRec.Serving.Tests.Registry;

public sealed class ModelRegistryTests : IDisposable
{
    private readonly string _models = Directory.CreateTempSubdirectory("grpcrec-registry-").FullName;

    public void Dispose() => Directory.Delete(_models, recursive: true);

    [Fact]
    public async Task Activate_StoredVersion_AnswersAndSurvivesARestart()
    {
        ArtifactFixture.Write(_models);
        await using (var registry = Start())
        {
            Assert.Equal("NO_MODEL", registry.Acquire().Rejection!.Reason);
            Assert.Equal(VersionState.Stored, Assert.Single(registry.List()).State);
            var activation = registry.Activate("shop", "v1").Value!;
            Assert.Equal(VersionState.Active, activation.Active.State);
            Assert.Null(activation.Previous);
            Assert.Equal("v1", VersionOf(registry));
        }

        await using var restarted = Start();
        Assert.Equal("v1", VersionOf(restarted));
    }

    [Fact]
    public async Task Rollback_AfterActivation_GoesBackAndForth()
    {
        Write("v1", "v2");
        await using var registry = Start();
        registry.Activate("shop", "v1");
        Assert.Equal("NO_PREVIOUS_VERSION", registry.Rollback().Rejection!.Reason);
        Assert.Equal("v1", registry.Activate("shop", "v2").Value!.Previous);
        Assert.Equal("v1", registry.Rollback().Value!.Active.Version);
        Assert.Equal("v1", VersionOf(registry));
        Assert.Equal("v1", registry.Rollback("shop").Value!.Previous);
        Assert.Equal("v2", VersionOf(registry));
        Assert.Equal(new ActivePointer("v2", "v1"), ActivePointer.Read(Path.Combine(_models, "shop")));
    }

    [Fact]
    public async Task Activate_Twice_KeepsThePreviousWarmAndLetsTheOneBeforeGo()
    {
        Write("v1", "v2", "v3");
        var observer = new Recorder();
        await using var registry = Start(observer);
        registry.Activate("shop", "v1");
        using var held = registry.Acquire().Value!;
        registry.Activate("shop", "v2");
        Assert.Equal(VersionState.Loaded, registry.Get("shop", "v1").Value!.State);
        registry.Activate("shop", "v3");
        Assert.Equal(VersionState.Stored, registry.Get("shop", "v1").Value!.State);
        Assert.Equal(VersionState.Loaded, registry.Get("shop", "v2").Value!.State);

        // Held: it still answers, and goes only with the handle.
        Assert.Null(await held.Scheduler.RunAsync(Work()));
        Assert.Empty(observer.Unloaded);
        held.Dispose();
        held.Dispose();
        await observer.AnUnload.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(["v1"], observer.Unloaded);
    }

    [Fact]
    public async Task Activate_DamagedVersion_IsRefusedListedAndTheActiveOneGoesOn()
    {
        Write("v1", "v2");
        Damage("v2");
        await using var registry = Start();
        registry.Activate("shop", "v1");
        var rejection = registry.Activate("shop", "v2").Rejection!;
        Assert.Equal(RejectionKind.FailedPrecondition, rejection.Kind);
        Assert.Equal("VERSION_UNUSABLE", rejection.Reason);
        Assert.Contains(ModelArtifact.WeightsFile, rejection.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(_models, rejection.Message, StringComparison.Ordinal);
        Assert.Equal("v1", VersionOf(registry));
        var listed = registry.List();
        Assert.Equal(["v2", "v1"], listed.Select(version => version.Version));
        Assert.Equal(VersionState.Failed, listed[0].State);
        Assert.Equal(rejection.Message, listed[0].Error);

        // Mended, it loads.
        Directory.Delete(Path.Combine(_models, "shop", "v2"), recursive: true);
        Write("v2");
        Assert.Null(registry.Activate("shop", "v2").Rejection);
        Assert.Null(registry.Get("shop", "v2").Value!.Error);
    }

    [Fact]
    public async Task Start_DamagedActiveVersion_FallsBackToThePreviousAndSaysSo()
    {
        Write("v1", "v2");
        await using (var registry = Start())
        {
            registry.Activate("shop", "v1");
            registry.Activate("shop", "v2");
        }

        Damage("v2");
        var observer = new Recorder();
        await using var restarted = Start(observer);
        Assert.Equal("v1", VersionOf(restarted));
        Assert.Equal([("v2", "v1")], observer.Fallbacks);
        Assert.Equal(VersionState.Failed, restarted.Get("shop", "v2").Value!.State);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{\"active\": \"../v1\", \"previous\": null}")]
    [InlineData("{\"active\": null, \"previous\": null}")]
    public async Task Start_UnreadablePointer_IsToldAndOtherModelsAnswer(string json)
    {
        Write("v1");
        ArtifactFixture.Write(_models, "music");
        await using (var registry = Start())
            registry.Activate("music", "v1");
        await File.WriteAllTextAsync(Path.Combine(_models, "shop", ActivePointer.FileName), json);
        var observer = new Recorder();
        await using var restarted = Start(observer);
        Assert.Equal(["shop"], observer.Unreadable);
        Assert.Equal("v1", VersionOf(restarted, "music"));
        Assert.Equal("NO_ACTIVE_VERSION", restarted.Acquire("shop").Rejection!.Reason);
        Assert.Null(restarted.Activate("shop", "v1").Rejection);
    }

    [Fact]
    public async Task Start_LeftoversOfACrash_AreNoVersions()
    {
        Write("v1");
        await using (var registry = Start())
            registry.Activate("shop", "v1");
        Directory.CreateDirectory(Path.Combine(_models, "shop", ".v2.abc.tmp"));
        Directory.CreateDirectory(Path.Combine(_models, ".trash"));
        await File.WriteAllTextAsync(Path.Combine(_models, "shop", ActivePointer.FileName + ".tmp"), "{\"act");
        await using var restarted = Start();
        Assert.Equal("v1", VersionOf(restarted));
        Assert.Single(restarted.List());
    }

    [Fact]
    public async Task Load_CopiedDirectory_IsRefused()
    {
        Write("v1");
        Directory.Move(Path.Combine(_models, "shop", "v1"), Path.Combine(_models, "shop", "v9"));
        await using var registry = Start();
        Assert.Equal("VERSION_UNUSABLE", registry.Load("shop", "v9").Rejection!.Reason);
    }

    [Theory]
    [InlineData("../shop", "v1", "MODEL_NOT_FOUND")]
    [InlineData("shop/..", "v1", "MODEL_NOT_FOUND")]
    [InlineData(".", "v1", "MODEL_NOT_FOUND")]
    [InlineData("", "v1", "MODEL_NOT_FOUND")]
    [InlineData("absent", "v1", "MODEL_NOT_FOUND")]
    [InlineData("shop", "..", "VERSION_NOT_FOUND")]
    [InlineData("shop", "v1/", "VERSION_NOT_FOUND")]
    [InlineData("shop", "../shop/v1", "VERSION_NOT_FOUND")]
    [InlineData("shop", "/v1", "VERSION_NOT_FOUND")]
    [InlineData("shop", "absent", "VERSION_NOT_FOUND")]
    public async Task Activate_NameThatIsNone_IsNotFound(string name, string version, string reason)
    {
        Write("v1");
        await using var registry = Start();
        var rejection = registry.Activate(name, version).Rejection!;
        Assert.Equal(reason, rejection.Reason);
        Assert.DoesNotContain("..", rejection.Message, StringComparison.Ordinal);
        Assert.Equal(reason, registry.Load(name, version).Rejection!.Reason);
    }

    [Fact]
    public async Task Acquire_VersionNotInMemory_SaysToLoadIt()
    {
        Write("v1", "v2");
        await using var registry = Start();
        registry.Activate("shop", "v1");
        Assert.Equal("VERSION_NOT_LOADED", registry.Acquire("shop", "v2").Rejection!.Reason);
        Assert.Equal("VERSION_NOT_FOUND", registry.Acquire("shop", "v3").Rejection!.Reason);
        Assert.Equal(VersionState.Loaded, registry.Load("shop", "v2").Value!.State);
        using var handle = registry.Acquire(version: "v2").Value!;
        Assert.Equal("v2", handle.Manifest.Version);
        Assert.Equal("v1", VersionOf(registry));
    }

    [Fact]
    public async Task Acquire_SeveralModels_NeedsANameOrADefault()
    {
        Write("v1");
        ArtifactFixture.Write(_models, "music");
        await using (var registry = Start())
        {
            registry.Activate("shop", "v1");
            registry.Activate("music", "v1");
            var rejection = registry.Acquire().Rejection!;
            Assert.Equal("MODEL_NAME_REQUIRED", rejection.Reason);
            Assert.Contains("music, shop", rejection.Message, StringComparison.Ordinal);
        }

        await using var withDefault = Start(defaultModel: "music");
        using var handle = withDefault.Acquire().Value!;
        Assert.Equal("music", handle.Manifest.Name);
    }

    [Fact]
    public async Task Load_MoreThanTheLimit_LetsTheOneLoadedFirstGo()
    {
        Write("v1", "v2", "v3", "v4");
        await using var registry = Start(maxExtra: 2);
        registry.Activate("shop", "v1");
        foreach (var version in (string[])["v2", "v3", "v4"])
            Assert.Null(registry.Load("shop", version).Rejection);
        Assert.Equal(
            [VersionState.Loaded, VersionState.Loaded, VersionState.Stored, VersionState.Active],
            registry.List().Select(version => version.State));
    }

    [Fact]
    public async Task Activate_PointerCannotBeWritten_ChangesNothing()
    {
        Write("v1", "v2");
        await using var registry = Start();
        registry.Activate("shop", "v1");
        // A directory in the pointer's place fails the rename for every user, root too.
        File.Delete(Path.Combine(_models, "shop", ActivePointer.FileName));
        Directory.CreateDirectory(Path.Combine(_models, "shop", ActivePointer.FileName, "x"));
        Assert.Equal("NOT_RECORDED", registry.Activate("shop", "v2").Rejection!.Reason);
        Assert.Equal("v1", VersionOf(registry));
    }

    [Fact]
    public async Task Activate_ManyReaders_EachSeesOneWholeVersionAndNoneFails()
    {
        Write("v1", "v2", "v3");
        await using var registry = Start();
        registry.Activate("shop", "v1");
        var expected = new Dictionary<string, float[]>();
        foreach (var version in (string[])["v1", "v2", "v3"])
        {
            registry.Load("shop", version);
            using var handle = registry.Acquire("shop", version).Value!;
            var work = Work();
            Assert.Null(await handle.Scheduler.RunAsync(work));
            expected[version] = work.CandidateLogits;
        }

        using var stop = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            var seen = new HashSet<string>();
            while (!stop.IsCancellationRequested)
            {
                using var handle = registry.Acquire().Value!;
                var work = Work();
                Assert.Null(await handle.Scheduler.RunAsync(work));
                Assert.Equal(expected[handle.Manifest.Version], work.CandidateLogits);
                seen.Add(handle.Manifest.Version);
            }

            return seen;
        })).ToArray();
        for (var i = 0; i < 30; i++)
        {
            Assert.Null(registry.Activate("shop", $"v{(i % 3) + 1}").Rejection);
            if (i % 5 == 4)
                Assert.Null(registry.Rollback().Rejection);
            await Task.Yield();
        }

        await stop.CancelAsync();
        Assert.True((await Task.WhenAll(readers)).SelectMany(seen => seen).Distinct().Count() > 1);
    }

    private static BatchRequest Work() => new() { Items = [1, 2, 3], Behaviors = [0, 1, 2], Candidates = [4, 5] };

    private static string VersionOf(ModelRegistry registry, string? name = null)
    {
        using var handle = registry.Acquire(name).Value!;
        return handle.Manifest.Version;
    }

    private void Write(params string[] versions)
    {
        foreach (var version in versions)
            ArtifactFixture.Write(_models, "shop", version, version[1]);
    }

    private void Damage(string version)
    {
        var path = Path.Combine(_models, "shop", version, ModelArtifact.WeightsFile);
        var bytes = File.ReadAllBytes(path);
        bytes[^5] ^= 1;
        File.WriteAllBytes(path, bytes);
    }

    private ModelRegistry Start(ServingObserver? observer = null, string? defaultModel = null, int maxExtra = 4)
    {
        var registry = new ModelRegistry(
            new RegistryOptions { Directory = _models, DefaultModel = defaultModel, MaxExtraVersions = maxExtra, Engine = new() { SlotCapacity = 16 } }, TimeProvider.System, observer);
        registry.Start();
        return registry;
    }

    private sealed class Recorder : ServingObserver
    {
        private readonly TaskCompletionSource _unload = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public List<string> Unloaded { get; } = [];
        public List<(string, string?)> Fallbacks { get; } = [];
        public List<string> Unreadable { get; } = [];
        public Task AnUnload => _unload.Task;

        public override void VersionUnloaded(string name, string version)
        {
            Unloaded.Add(version);
            _unload.TrySetResult();
        }

        public override void ActiveVersionUnusable(string name, string version, string? fallback) => Fallbacks.Add((version, fallback));

        public override void PointerUnreadable(string name, string reason) => Unreadable.Add(name);
    }
}
