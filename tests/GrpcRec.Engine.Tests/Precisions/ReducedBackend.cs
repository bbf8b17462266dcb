using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Cpu;

namespace GrpcRec.Engine.Tests.Precisions;

/// <summary>The CPU engine in a reduced precision.</summary>
public sealed record ReducedBackend(Precision Precision, KernelPath Path, bool Tables = true)
{
    public static readonly ReducedBackend[] All =
    [
        .. KernelPaths.Every.Select(path => new ReducedBackend(Precision.Bf16, path)), new(Precision.Bf16, KernelPath.Auto, Tables: false),
        .. KernelPaths.Every.Select(path => new ReducedBackend(Precision.Int8, path)), new(Precision.Int8, KernelPath.Auto, Tables: false),
    ];

    /// <summary>Skips the test where the processor lacks the path.</summary>
    public IStepEngine Create(ModelArtifact model, int slots = 64)
    {
        KernelPaths.Kernel(Path);
        return StepEngineFactory.Create(model, new EngineOptions
        {
            Kind = EngineKind.Cpu,
            Path = Path,
            Precision = Precision,
            SlotCapacity = slots,
            GateTableBudgetBytes = Tables ? 512L << 20 : 0,
        });
    }

    public override string ToString() => $"{Precision} {Path}{(Tables ? "" : " no tables")}";
}
