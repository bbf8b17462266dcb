using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Steps;

[JsonConverter(typeof(JsonStringEnumConverter<EngineKind>))]
public enum EngineKind
{
    /// <summary>An NVIDIA device where there is one with kernels for it and it runs such a model and has room for it; else the vectorised engine where the processor has 256-bit or wider vectors with fused multiply-add, the scalar one elsewhere.</summary>
    Auto,
    Cpu,

    /// <summary>An NVIDIA device.</summary>
    Cuda,

    /// <summary>The reference: plain loops, for tests and doubts.</summary>
    Scalar,
}

/// <summary>Instructions that the vectorised engine is held to.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<KernelPath>))]
public enum KernelPath
{
    /// <summary>The widest that the processor has.</summary>
    Auto,
    Avx512,

    /// <summary>256-bit vectors with fused multiply-add.</summary>
    Avx2,

    /// <summary>What every processor runs that .NET runs on.</summary>
    Portable,
}

/// <summary>How an engine is made from an artefact.</summary>
public sealed record EngineOptions
{
    public const int MaxSlotCapacity = 1 << 20;
    public const long MaxGateTableBudgetBytes = 1L << 40;
    public const long MaxScanTableBudgetBytes = 1L << 40;

    public EngineKind Kind { get; init; } = EngineKind.Auto;

    /// <summary>For tests and doubts: all paths give results within the same tolerance.</summary>
    public KernelPath Path { get; init; } = KernelPath.Auto;

    /// <summary>Null: the precision that the artefact's manifest states. The scalar engine knows float32 alone, and runs it where this is null.</summary>
    public Precision? Precision { get; init; }

    /// <summary>Sequences whose state the engine holds at once.</summary>
    [Range(1, MaxSlotCapacity)]
    public int SlotCapacity { get; init; } = 1024;

    /// <summary>
    /// Memory that tables of precomputed per-item projections may take, shared by all engines of an artefact. A model whose tables would
    /// not fit has them computed in each step instead: slower, never refused.
    /// </summary>
    [Range(0L, MaxGateTableBudgetBytes)]
    public long GateTableBudgetBytes { get; init; } = 512L << 20;

    /// <summary>For tests and doubts: the answer is the same.</summary>
    public ScanKind Scan { get; init; } = ScanKind.Auto;

    /// <summary>
    /// Memory that the catalogue's bytes may take, V · (E + 8) of them, shared by all engines of an artefact. A catalogue whose table
    /// would not fit is ranked in float32: slower, never refused.
    /// </summary>
    [Range(0L, MaxScanTableBudgetBytes)]
    public long ScanTableBudgetBytes { get; init; } = 1L << 30;

    /// <summary>Who may help to rank a catalogue; null: the calling thread does it alone. The answer is the same.</summary>
    [JsonIgnore]
    public ISpareThreads? SpareThreads { get; init; }

    /// <summary>Why this engine and not the one that Auto would rather have: a sentence for the description. Null: nothing stood in the way.</summary>
    internal string? Instead { get; init; }

    /// <summary>For <see cref="EngineKind.Cuda"/>, and for Auto where there is a device.</summary>
    public CudaOptions Cuda { get; init; } = new();
}
