using System.Runtime.Intrinsics.X86;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>Instructions that <see cref="Int8Kernel"/> multiplies bytes with. All give the same integers.</summary>
internal enum Int8Path
{
    /// <summary>Four products of bytes and their sum in one instruction, 256 bits wide (.NET has no wider form of it).</summary>
    Vnni,

    /// <summary>Bytes widened to 16 bits and multiplied in pairs.</summary>
    Avx2,

    Portable,
}

internal static class Int8Paths
{
    public static bool IsSupported(Int8Path path) => path switch
    {
        Int8Path.Vnni => AvxVnni.IsSupported,
        Int8Path.Avx2 => Avx2.IsSupported,
        _ => true,
    };

    /// <summary>The fastest that the processor has within what the engine is held to.</summary>
    public static Int8Path Resolve(KernelPath path) =>
        path is KernelPath.Auto or KernelPath.Avx512 && AvxVnni.IsSupported ? Int8Path.Vnni
        : path != KernelPath.Portable && Avx2.IsSupported ? Int8Path.Avx2
        : Int8Path.Portable;
}
