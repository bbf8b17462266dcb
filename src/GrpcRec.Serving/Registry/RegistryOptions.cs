using System.ComponentModel.DataAnnotations;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Batching;

namespace GrpcRec.Serving.Registry;

public sealed record RegistryOptions
{
    /// <summary>Versions live in <c>{name}/{version}/</c> under it.</summary>
    [Required] public required string Directory { get; init; }

    /// <summary>Answers requests that name no model. Null: the only active one.</summary>
    public string? DefaultModel { get; init; }

    /// <summary>Versions of one model in memory beside the active and the previous one; the one loaded first goes when there are more.</summary>
    [Range(0, 100)] public int MaxExtraVersions { get; init; } = 4;

    /// <summary>Of one version; its slots are shared out to the threads.</summary>
    public EngineOptions Engine { get; init; } = new();

    /// <summary>Of all models together.</summary>
    public ComputePoolOptions Compute { get; init; } = new();

    public BatchSchedulerOptions Batching { get; init; } = new();
}
