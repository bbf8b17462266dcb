using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Tests.Cpu;

/// <summary>The paths that tests run; one that the processor lacks is skipped with the engine's own words.</summary>
internal static class KernelPaths
{
    public static readonly KernelPath[] Every = [KernelPath.Avx512, KernelPath.Avx2, KernelPath.Portable];

    public static TheoryData<KernelPath> All => new(Every);

    public static BlockKernel Kernel(KernelPath path)
    {
        try
        {
            return BlockKernel.For(path);
        }
        catch (EngineException e)
        {
            Skip.If(true, e.Message);
            throw;
        }
    }
}
