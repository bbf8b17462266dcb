using System.ComponentModel.DataAnnotations;

namespace GrpcRec.Serving.Admission;

/// <summary>What one request may ask at most. Refused past it with the field's path and the bound.</summary>
public sealed record RequestLimits
{
    /// <summary>Events of a sequence. Reading them costs a step each; far above any model's memory.</summary>
    [Range(1, 1_000_000)] public int MaxEvents { get; init; } = 2_048;

    /// <summary>Candidates of a Score or Rank.</summary>
    [Range(1, 1_000_000)] public int MaxCandidates { get; init; } = 1_000;

    /// <summary>UTF-8 bytes of an id or a name.</summary>
    [Range(1, 65_536)] public int MaxIdBytes { get; init; } = 256;

    /// <summary>k of a Rank.</summary>
    [Range(1, 1_000_000)] public int MaxK { get; init; } = 1_000;

    /// <summary>Blocked items of a Rank.</summary>
    [Range(0, 10_000_000)] public int MaxBlocked { get; init; } = 10_000;

    /// <summary>Categories that a Rank allows or blocks.</summary>
    [Range(0, 1_000_000)] public int MaxCategories { get; init; } = 1_000;

    /// <summary>Named values in a context.</summary>
    [Range(0, 1_000)] public int MaxContextValues { get; init; } = 16;

    /// <summary>UTF-8 bytes of a name in a context: as many as a feature's may have.</summary>
    [Range(1, 1_024)] public int MaxContextNameBytes { get; init; } = 64;

    /// <summary>UTF-8 bytes of a value in a context.</summary>
    [Range(1, 65_536)] public int MaxContextValueBytes { get; init; } = 256;

    /// <summary>Tasks or objective entries that a request names.</summary>
    [Range(1, 10_000)] public int MaxTasks { get; init; } = 64;

    /// <summary>Size of an objective's weight: keeps the weighted sum finite.</summary>
    [Range(1, 1e12)] public double MaxObjectiveWeight { get; init; } = 1_000_000;
}
