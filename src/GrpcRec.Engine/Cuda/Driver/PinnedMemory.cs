using System.Runtime.InteropServices;
using static GrpcRec.Engine.Cuda.Driver.CudaDriver;

namespace GrpcRec.Engine.Cuda.Driver;

/// <summary>Host memory that the device copies from and to by itself, while the processor goes on.</summary>
internal sealed unsafe class PinnedMemory : SafeHandle
{
    private readonly CudaContext _context;

    /// <exception cref="CudaException">The machine has not that much memory to pin.</exception>
    public PinnedMemory(CudaContext context, long bytes)
        : base(0, ownsHandle: true)
    {
        (_context, Bytes) = (context, bytes);
        using var scope = context.Enter();
        void* pointer = null;
        Check(cuMemHostAlloc(&pointer, (nuint)bytes, 0));
        SetHandle((nint)pointer);
    }

    public override bool IsInvalid => handle == 0;

    public long Bytes { get; }

    public void* Pointer => (void*)handle;

    protected override bool ReleaseHandle()
    {
        var pointer = (void*)handle;
        _context.Free(() => _ = cuMemFreeHost(pointer));
        return true;
    }
}
