using GrpcRec.Engine.Models;

namespace GrpcRec.Serving.Registry;

public enum VersionState
{
    /// <summary>On disk, not in memory.</summary>
    Stored,

    /// <summary>In memory; answers when it is named.</summary>
    Loaded,

    /// <summary>Answers requests that name no version.</summary>
    Active,

    /// <summary>Could not be read or loaded.</summary>
    Failed,
}

/// <param name="Manifest">Null when it cannot be read.</param>
/// <param name="Error">Why it failed; null otherwise.</param>
public sealed record VersionInfo(string Name, string Version, VersionState State, ModelManifest? Manifest, string? Error);

/// <param name="Active">The version that answers now.</param>
/// <param name="Previous">The version that answered before; null: none did.</param>
public sealed record Activation(VersionInfo Active, string? Previous);
