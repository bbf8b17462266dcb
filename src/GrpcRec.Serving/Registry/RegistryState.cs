using System.Collections.Immutable;

namespace GrpcRec.Serving.Registry;

/// <summary>What is in memory, as one immutable snapshot: readers see all of a change or nothing of it.</summary>
internal sealed record RegistryState(ImmutableDictionary<string, ModelState> Models)
{
    public static RegistryState Empty { get; } = new(ImmutableDictionary.Create<string, ModelState>(StringComparer.Ordinal));

    public ModelState Of(string name) => Models.TryGetValue(name, out var model) ? model : ModelState.Empty;

    public RegistryState With(string name, ModelState model) => new(Models.SetItem(name, model));
}

/// <param name="Loaded">In memory, the one loaded first in front.</param>
/// <param name="Active">Answers requests that name no version; null: none.</param>
/// <param name="Previous">Rollback goes there; null: none.</param>
/// <param name="Failed">Reasons by version.</param>
internal sealed record ModelState(
    ImmutableList<LoadedVersion> Loaded, LoadedVersion? Active, string? Previous, ImmutableDictionary<string, string> Failed)
{
    public static ModelState Empty { get; } = new([], null, null, ImmutableDictionary.Create<string, string>(StringComparer.Ordinal));

    public LoadedVersion? Find(string version) => Loaded.Find(loaded => loaded.Version == version);
}
