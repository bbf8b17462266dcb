using System.Runtime.InteropServices;
using static GrpcRec.Engine.Cuda.Driver.CudaDriver;

namespace GrpcRec.Engine.Cuda.Driver;

/// <summary>A queue of device work, in order. Calls come inside the context's scope.</summary>
internal sealed unsafe class CudaStream : SafeHandle
{
    private const uint NonBlocking = 1;
    private const int CaptureOfThisThread = 1;

    private readonly CudaContext _context;

    public CudaStream(CudaContext context)
        : base(0, ownsHandle: true)
    {
        _context = context;
        using var scope = context.Enter();
        nint stream = 0;
        Check(cuStreamCreate(&stream, NonBlocking));
        SetHandle(stream);
    }

    public override bool IsInvalid => handle == 0;

    public nint Handle => handle;

    public void Upload(ulong to, void* from, long bytes)
    {
        Check(cuMemcpyHtoDAsync(to, from, (nuint)bytes, handle));
        CudaMetrics.Uploaded(bytes);
    }

    /// <summary>Done when the stream has been waited for.</summary>
    public void Download(void* to, ulong from, long bytes)
    {
        Check(cuMemcpyDtoHAsync(to, from, (nuint)bytes, handle));
        CudaMetrics.Downloaded(bytes);
    }

    public void Clear(ulong to, long bytes) => Check(cuMemsetD8Async(to, 0, (nuint)bytes, handle));

    /// <summary>Blocks the thread until all work is done; tells of faults in it.</summary>
    public void Synchronize() => Check(cuStreamSynchronize(handle));

    /// <summary>What is queued from here on starts after the event.</summary>
    public void WaitFor(CudaEvent @event) => Check(cuStreamWaitEvent(handle, @event.Handle, 0));

    /// <summary>What <paramref name="work"/> queues is noted, not run. Other threads' calls are left alone.</summary>
    public CudaGraph Capture(Action work)
    {
        Check(cuStreamBeginCapture(handle, CaptureOfThisThread));
        nint graph = 0;
        try
        {
            work();
        }
        catch
        {
            if (cuStreamEndCapture(handle, &graph) == CudaStatus.Success && graph != 0)
                _ = cuGraphDestroy(graph);
            throw;
        }

        Check(cuStreamEndCapture(handle, &graph));
        return new CudaGraph(_context, graph);
    }

    protected override bool ReleaseHandle()
    {
        var stream = handle;
        _context.Free(() => _ = cuStreamDestroy(stream));
        return true;
    }
}
