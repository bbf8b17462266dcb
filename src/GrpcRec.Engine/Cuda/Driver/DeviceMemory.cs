using System.Globalization;
using System.Runtime.InteropServices;
using GrpcRec.Engine.Steps;
using static GrpcRec.Engine.Cuda.Driver.CudaDriver;

namespace GrpcRec.Engine.Cuda.Driver;

/// <summary>One allocation in device memory, and whose budget it counts against.</summary>
internal sealed unsafe class DeviceMemory : SafeHandle
{
    private readonly CudaContext _context;
    private readonly DeviceBudget _budget;

    private DeviceMemory(CudaContext context, DeviceBudget budget, ulong address, long bytes)
        : base(0, ownsHandle: true)
    {
        (_context, _budget, Bytes) = (context, budget, bytes);
        SetHandle((nint)address);
    }

    public override bool IsInvalid => handle == 0;

    public long Bytes { get; }

    /// <summary>In the device's address space; 256-byte aligned.</summary>
    public ulong Address => (ulong)handle;

    /// <param name="what">For the error: "the gate table".</param>
    /// <exception cref="EngineException">It does not fit.</exception>
    public static DeviceMemory Allocate(CudaContext context, DeviceBudget budget, long bytes, string what)
    {
        bytes = Math.Max(bytes, 256);
        budget.Take(bytes, what);
        using var scope = context.Enter();
        ulong address = 0;
        var status = cuMemAlloc(&address, (nuint)bytes);
        if (status == CudaStatus.Success)
            return new DeviceMemory(context, budget, address, bytes);
        budget.Give(bytes);
        if (status == CudaStatus.OutOfMemory)
            throw new EngineException(string.Create(CultureInfo.InvariantCulture,
                $"{what} takes {DeviceBudget.MiB(bytes)} of device memory and {context.Name} has not that much left: serve fewer models on it, lower --slots, or run with --engine cpu"));
        Check(status, nameof(cuMemAlloc) + "(");
        throw new InvalidOperationException();
    }

    protected override bool ReleaseHandle()
    {
        var address = (ulong)handle;
        _context.Free(() => _ = cuMemFree(address));
        _budget.Give(Bytes);
        return true;
    }
}
