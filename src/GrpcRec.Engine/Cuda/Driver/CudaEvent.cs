using System.Runtime.InteropServices;
using static GrpcRec.Engine.Cuda.Driver.CudaDriver;

namespace GrpcRec.Engine.Cuda.Driver;

/// <summary>A mark in a stream that other streams and threads can wait for.</summary>
internal sealed unsafe class CudaEvent : SafeHandle
{
    private const uint DisableTiming = 2;

    private readonly CudaContext _context;

    public CudaEvent(CudaContext context)
        : base(0, ownsHandle: true)
    {
        _context = context;
        using var scope = context.Enter();
        nint created = 0;
        Check(cuEventCreate(&created, DisableTiming));
        SetHandle(created);
    }

    public override bool IsInvalid => handle == 0;

    public nint Handle => handle;

    public void Record(CudaStream stream) => Check(cuEventRecord(handle, stream.Handle));

    /// <summary>Blocks the thread; at once where it was never recorded.</summary>
    public void Synchronize() => Check(cuEventSynchronize(handle));

    protected override bool ReleaseHandle()
    {
        var released = handle;
        _context.Free(() => _ = cuEventDestroy(released));
        return true;
    }
}
