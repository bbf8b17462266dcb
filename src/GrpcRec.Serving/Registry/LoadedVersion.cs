using GrpcRec.Engine.Models;
using GrpcRec.Serving.Batching;

namespace GrpcRec.Serving.Registry;

/// <summary>One version in memory. Counted: it is let go when the registry has dropped it and nobody holds a handle.</summary>
internal sealed class LoadedVersion
{
    private readonly Action<LoadedVersion> _onIdle;

    // The registry's own reference is the first.
    private int _references = 1;

    public LoadedVersion(ModelArtifact artifact, BatchScheduler scheduler, Action<LoadedVersion> onIdle)
    {
        Artifact = artifact;
        Scheduler = scheduler;
        _onIdle = onIdle;
        Tasks = new TaskLayout(artifact.Manifest);
        Behaviors = artifact.Manifest.Behaviors.Select((name, id) => KeyValuePair.Create(name, id)).ToDictionary(StringComparer.Ordinal);
        Kinds = new EventKinds(artifact.Manifest);
        RequestFeatures = new RequestFeatures(artifact.Manifest);
        EventContextNames = [.. Kinds.Features.Where(feature => feature.Source == FeatureSource.Context).Select(feature => feature.Name)];
        RequestContextNames = [.. RequestFeatures.Features.Select(feature => feature.Name)];
        Categories = artifact.Manifest.Categories.Select((name, id) => KeyValuePair.Create(name, id)).ToDictionary(StringComparer.Ordinal);
    }

    public ModelArtifact Artifact { get; }
    public BatchScheduler Scheduler { get; }
    public TaskLayout Tasks { get; }
    public IReadOnlyDictionary<string, int> Behaviors { get; }
    public IReadOnlyDictionary<string, int> Categories { get; }
    public EventKinds Kinds { get; }
    public RequestFeatures RequestFeatures { get; }
    public IReadOnlyCollection<string> EventContextNames { get; }
    public IReadOnlyCollection<string> RequestContextNames { get; }
    public string Name => Artifact.Manifest.Name;
    public string Version => Artifact.Manifest.Version;

    /// <summary>False when it was let go in the meantime: look it up again.</summary>
    public bool TryHold()
    {
        var seen = Volatile.Read(ref _references);
        while (seen > 0)
        {
            var found = Interlocked.CompareExchange(ref _references, seen + 1, seen);
            if (found == seen)
                return true;
            seen = found;
        }

        return false;
    }

    public void Release()
    {
        if (Interlocked.Decrement(ref _references) == 0)
            _onIdle(this);
    }
}
