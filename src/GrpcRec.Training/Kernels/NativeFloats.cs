using System.Runtime.InteropServices;

namespace GrpcRec.Training.Kernels;

/// <summary>Zeroed float32 memory aligned to a cache line, outside the garbage collector.</summary>
internal sealed unsafe class NativeFloats : IDisposable
{
    public NativeFloats(long length)
    {
        var bytes = checked((nuint)Math.Max(1, length) * sizeof(float));
        Pointer = (float*)NativeMemory.AlignedAlloc(bytes, 64);
        NativeMemory.Clear(Pointer, bytes);
    }

    ~NativeFloats() => NativeMemory.AlignedFree(Pointer);

    /// <summary>First float; dies with the buffer.</summary>
    public float* Pointer { get; private set; }

    public void Dispose()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
        GC.SuppressFinalize(this);
    }
}
