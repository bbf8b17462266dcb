using System.ComponentModel.DataAnnotations;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Batching;

namespace GrpcRec.Serving.Registry;

/// <summary>
/// The versions of every model under one directory, those in memory, and which of them answers. Changes are made one at a time and become
/// visible whole; readers never wait. The version that answered before is kept warm for <see cref="Rollback"/>.
/// </summary>
public sealed class ModelRegistry : IAsyncDisposable
{
    private readonly RegistryOptions _options;
    private readonly ServingObserver _observer;
    private readonly ComputePool _pool;
    private readonly VersionLoader _loader;
    private readonly Lock _change = new();
    private volatile RegistryState _state = RegistryState.Empty;

    /// <param name="createEngine">Makes one of a version's engines, with that engine's share of the slots. Null: <see cref="StepEngineFactory"/>.</param>
    /// <exception cref="ValidationException">An option is out of its range.</exception>
    public ModelRegistry(
        RegistryOptions options, TimeProvider time, ServingObserver? observer = null, Func<ModelArtifact, EngineOptions, IStepEngine>? createEngine = null)
    {
        Validator.ValidateObject(options, new ValidationContext(options), validateAllProperties: true);
        _options = options;
        _observer = observer ?? new ServingObserver();
        _pool = new ComputePool(options.Compute);
        _loader = new VersionLoader(options, _pool, time, _observer, createEngine ?? StepEngineFactory.Create, Unload);
    }

    /// <summary>Loads every model's active version; where it is damaged, the one before it.</summary>
    public void Start()
    {
        Directory.CreateDirectory(_options.Directory);
        lock (_change)
        {
            foreach (var name in ModelsOnDisk())
                Resume(name);
        }
    }

    /// <summary>A version that stays alive while the handle is held.</summary>
    /// <param name="name">Null or empty: the default model.</param>
    /// <param name="version">Null or empty: the active one.</param>
    public Outcome<ModelHandle> Acquire(string? name = null, string? version = null)
    {
        while (true)
        {
            var state = _state;
            var found = Find(state, name, version);
            if (found.Rejection is { } rejection)
                return rejection;
            // A version is let go only after it has left the state, so a second look finds its successor.
            if (found.Value!.TryHold())
                return new ModelHandle(found.Value);
        }
    }

    /// <summary>Brings a version into memory beside the active one.</summary>
    public Outcome<VersionInfo> Load(string name, string version)
    {
        lock (_change)
        {
            var loaded = Ensure(name, version);
            if (loaded.Rejection is { } rejection)
                return rejection;
            var model = _state.Of(name);
            var extra = model.Loaded.Where(one => one != model.Active && one.Version != model.Previous).ToList();
            var surplus = extra.Take(extra.Count - _options.MaxExtraVersions).Where(one => one != loaded.Value).ToList();
            Replace(name, model with { Loaded = model.Loaded.RemoveRange(surplus) }, surplus);
            return Describe(_state, loaded.Value!);
        }
    }

    /// <summary>Makes a version answer: verify → load → warm → record → flip.</summary>
    public Outcome<Activation> Activate(string name, string version)
    {
        lock (_change)
        {
            var before = _state.Of(name);
            if (before.Active is { } active && active.Version == version)
                return new Activation(Describe(_state, active), before.Previous);
            return Flip(name, version);
        }
    }

    /// <summary>Makes the version before answer again; done twice it changes nothing.</summary>
    /// <param name="name">Null or empty: the default model.</param>
    public Outcome<Activation> Rollback(string? name = null)
    {
        lock (_change)
        {
            var chosen = Choose(_state, name);
            if (chosen.Rejection is { } rejection)
                return rejection;
            var previous = _state.Of(chosen.Value!).Previous;
            return previous is null ? RegistryRejections.NothingBefore(chosen.Value!) : Flip(chosen.Value!, previous);
        }
    }

    /// <summary>Every version on disk or in memory: by model, newest version first.</summary>
    public IReadOnlyList<VersionInfo> List()
    {
        var state = _state;
        return
        [
            .. from name in ModelsOnDisk().Union(state.Models.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal)
               from version in VersionsOnDisk(name).Union(state.Of(name).Loaded.Select(loaded => loaded.Version), StringComparer.Ordinal).OrderDescending(StringComparer.Ordinal)
               select Describe(state, name, version),
        ];
    }

    /// <param name="name">Null or empty: the default model.</param>
    /// <param name="version">Null or empty: the active one.</param>
    public Outcome<VersionInfo> Get(string? name = null, string? version = null)
    {
        var state = _state;
        var chosen = Choose(state, name);
        if (chosen.Rejection is { } rejection)
            return rejection;
        var model = state.Of(chosen.Value!);
        if (string.IsNullOrEmpty(version))
            return model.Active is { } active ? Describe(state, active) : RegistryRejections.NotActive(chosen.Value!);
        return model.Find(version) is null && !IsOnDisk(chosen.Value!, version)
            ? RegistryRejections.UnknownVersion(chosen.Value!, version)
            : Describe(state, chosen.Value!, version);
    }

    /// <summary>Lets every version go, each after its drain, and the threads.</summary>
    public async ValueTask DisposeAsync()
    {
        List<LoadedVersion> loaded;
        lock (_change)
        {
            loaded = [.. _state.Models.Values.SelectMany(model => model.Loaded)];
            _state = RegistryState.Empty;
        }

        await Task.WhenAll(loaded.Select(version => version.Scheduler.DisposeAsync().AsTask()));
        await _pool.DisposeAsync();
    }

    private void Resume(string name)
    {
        ActivePointer? pointer;
        try
        {
            pointer = ActivePointer.Read(Path.Combine(_options.Directory, name));
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            _observer.PointerUnreadable(name, exception.Message);
            return;
        }

        if (pointer is null)
            return;
        if (Ensure(name, pointer.Active).Value is { } active)
        {
            Replace(name, _state.Of(name) with { Active = active, Previous = pointer.Previous }, []);
            return;
        }

        var fallback = pointer.Previous is null ? null : Ensure(name, pointer.Previous).Value;
        _observer.ActiveVersionUnusable(name, pointer.Active, fallback?.Version);
        Replace(name, _state.Of(name) with { Active = fallback, Previous = null }, []);
    }

    private Outcome<Activation> Flip(string name, string version)
    {
        // 1. Verify, load, warm; on failure the active version goes on.
        var loaded = Ensure(name, version);
        if (loaded.Rejection is { } rejection)
            return rejection;

        // 2. Record, so that a restart comes up with what callers see now.
        var before = _state.Of(name);
        var previous = before.Active?.Version;
        try
        {
            new ActivePointer(version, previous).Write(Path.Combine(_options.Directory, name));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return RegistryRejections.NotRecorded;
        }

        // 3. Flip. The version before the previous one has now been replaced twice.
        var dropped = before.Loaded.FindAll(one => one.Version == before.Previous && one.Version != version && one.Version != previous);
        Replace(name, before with { Loaded = before.Loaded.RemoveRange(dropped), Active = loaded.Value, Previous = previous }, dropped);
        _observer.VersionActivated(name, version, previous);
        return new Activation(Describe(_state, loaded.Value!), previous);
    }

    private Outcome<LoadedVersion> Ensure(string name, string version)
    {
        if (_state.Of(name).Find(version) is { } there)
            return there;
        if (!ModelNames.IsModel(name) || !Directory.Exists(Path.Combine(_options.Directory, name)))
            return RegistryRejections.UnknownModel(name);
        if (!IsOnDisk(name, version))
            return RegistryRejections.UnknownVersion(name, version);
        var loaded = _loader.Load(name, version);
        var model = _state.Of(name);
        Replace(
            name,
            loaded.Rejection is { } rejection
                ? model with { Failed = model.Failed.SetItem(version, rejection.Message) }
                : model with { Loaded = model.Loaded.Add(loaded.Value!), Failed = model.Failed.Remove(version) },
            []);
        return loaded;
    }

    private void Replace(string name, ModelState model, IEnumerable<LoadedVersion> dropped)
    {
        _state = _state.With(name, model);
        foreach (var version in dropped)
            version.Release();
    }

    private void Unload(LoadedVersion version) => _ = UnloadAsync(version);

    private async Task UnloadAsync(LoadedVersion version)
    {
        // Nobody holds it, so nothing is queued and this ends at once.
        await version.Scheduler.DisposeAsync();
        _observer.VersionUnloaded(version.Name, version.Version);
    }

    private Outcome<LoadedVersion> Find(RegistryState state, string? name, string? version)
    {
        var chosen = Choose(state, name);
        if (chosen.Rejection is { } rejection)
            return rejection;
        var model = state.Of(chosen.Value!);
        if (string.IsNullOrEmpty(version))
            return model.Active is { } active ? active : RegistryRejections.NotActive(chosen.Value!);
        if (model.Find(version) is { } loaded)
            return loaded;
        return IsOnDisk(chosen.Value!, version) ? RegistryRejections.NotLoaded(chosen.Value!, version) : RegistryRejections.UnknownVersion(chosen.Value!, version);
    }

    /// <summary>The model that a name, or none, means.</summary>
    private Outcome<string> Choose(RegistryState state, string? name)
    {
        name = string.IsNullOrEmpty(name) ? _options.DefaultModel : name;
        if (!string.IsNullOrEmpty(name))
            return state.Models.ContainsKey(name) || (ModelNames.IsModel(name) && Directory.Exists(Path.Combine(_options.Directory, name)))
                ? name
                : RegistryRejections.UnknownModel(name);
        string? only = null;
        foreach (var (candidate, model) in state.Models)
        {
            if (model.Active is null)
                continue;
            if (only is not null)
                return RegistryRejections.WhichModel(state.Models.Where(one => one.Value.Active is not null).Select(one => one.Key));
            only = candidate;
        }

        return only is null ? RegistryRejections.NoModel : only;
    }

    private static VersionInfo Describe(RegistryState state, LoadedVersion version) =>
        new(version.Name, version.Version, state.Of(version.Name).Active == version ? VersionState.Active : VersionState.Loaded, version.Artifact.Manifest, null);

    private VersionInfo Describe(RegistryState state, string name, string version)
    {
        var model = state.Of(name);
        if (model.Find(version) is { } loaded)
            return Describe(state, loaded);
        var failure = model.Failed.GetValueOrDefault(version);
        try
        {
            var manifest = ModelArtifact.ReadManifest(Path.Combine(_options.Directory, name, version));
            return new VersionInfo(name, version, failure is null ? VersionState.Stored : VersionState.Failed, manifest, failure);
        }
        catch (ArtifactException exception)
        {
            return new VersionInfo(name, version, VersionState.Failed, null, failure ?? exception.Message);
        }
    }

    private bool IsOnDisk(string name, string version) =>
        ModelNames.IsVersion(version) && Directory.Exists(Path.Combine(_options.Directory, name, version));

    private IEnumerable<string> ModelsOnDisk() => DirectoriesIn(_options.Directory).Where(ModelNames.IsModel);

    private IEnumerable<string> VersionsOnDisk(string name) => DirectoriesIn(Path.Combine(_options.Directory, name)).Where(ModelNames.IsVersion);

    private static IEnumerable<string> DirectoriesIn(string path) =>
        Directory.Exists(path) ? Directory.EnumerateDirectories(path).Select(directory => Path.GetFileName(directory)) : [];
}
