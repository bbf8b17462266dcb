using System.Runtime.InteropServices;
using static GrpcRec.Engine.Cuda.Driver.CudaDriver;

namespace GrpcRec.Engine.Cuda.Driver;

/// <summary>A captured sequence of launches that is started as one.</summary>
internal sealed unsafe class CudaGraph : SafeHandle
{
    private readonly CudaContext _context;

    /// <param name="graph">Let go here: the executable form is all that is kept.</param>
    public CudaGraph(CudaContext context, nint graph)
        : base(0, ownsHandle: true)
    {
        _context = context;
        nint executable = 0;
        var status = cuGraphInstantiateWithFlags(&executable, graph, 0);
        _ = cuGraphDestroy(graph);
        Check(status, nameof(cuGraphInstantiateWithFlags) + "(");
        SetHandle(executable);
    }

    public override bool IsInvalid => handle == 0;

    public void Launch(CudaStream stream)
    {
        Check(cuGraphLaunch(handle, stream.Handle));
        CudaMetrics.GraphLaunched();
    }

    protected override bool ReleaseHandle()
    {
        var executable = handle;
        _context.Free(() => _ = cuGraphExecDestroy(executable));
        return true;
    }
}
