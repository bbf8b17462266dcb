using GrpcRec.Engine.Models;
using GrpcRec.Serving.Batching;

namespace GrpcRec.Serving.Registry;

/// <summary>A version that stays alive while this is held. Dispose it when the answer is made.</summary>
public sealed class ModelHandle : IDisposable
{
    private LoadedVersion? _version;

    internal ModelHandle(LoadedVersion version) => _version = version;

    public ModelArtifact Artifact => Version.Artifact;

    public ModelManifest Manifest => Version.Artifact.Manifest;

    public ItemCatalog Items => Version.Artifact.Items;

    /// <summary>Dense behaviour ids by name.</summary>
    public IReadOnlyDictionary<string, int> Behaviors => Version.Behaviors;

    /// <summary>Dense category ids by name.</summary>
    public IReadOnlyDictionary<string, int> Categories => Version.Categories;

    /// <summary>From an event's behaviour and features to what the engine reads.</summary>
    public EventKinds Kinds => Version.Kinds;

    /// <summary>From a request's context to what the heads read.</summary>
    public RequestFeatures RequestFeatures => Version.RequestFeatures;

    /// <summary>Names that an event's context may hold.</summary>
    public IReadOnlyCollection<string> EventContextNames => Version.EventContextNames;

    /// <summary>Names that a request's context may hold.</summary>
    public IReadOnlyCollection<string> RequestContextNames => Version.RequestContextNames;

    public TaskLayout Tasks => Version.Tasks;

    public BatchScheduler Scheduler => Version.Scheduler;

    private LoadedVersion Version => _version ?? throw new ObjectDisposedException(nameof(ModelHandle));

    public void Dispose() => Interlocked.Exchange(ref _version, null)?.Release();
}
