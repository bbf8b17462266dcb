using static GrpcRec.Engine.Cuda.Driver.CudaDriver;

namespace GrpcRec.Engine.Cuda.Driver;

/// <summary>One kernel and the block that it is launched with. Every kernel takes one struct by value.</summary>
internal sealed unsafe class CudaFunction
{
    private const int SharedWithoutAsking = 48 << 10;

    private readonly CudaContext _context;
    private readonly nint _function;
    private readonly Lock _gate = new();

    /// <summary>Its name as an error would show a call: made once, since a batch is tens of launches.</summary>
    private readonly string _call;
    private int _sharedAllowed = SharedWithoutAsking;

    public CudaFunction(CudaContext context, string name, nint function, int threads) =>
        (_context, Name, _function, Threads, _call) = (context, name, function, threads, name + "(");

    public string Name { get; }

    /// <summary>Of a block.</summary>
    public int Threads { get; }

    public int Registers => Attribute(FunctionAttribute.NumRegs);

    /// <summary>Share of a multiprocessor's threads that are resident at once, 0…1.</summary>
    public double Occupancy(int dynamicSharedBytes = 0)
    {
        using var scope = _context.Enter();
        Allow(dynamicSharedBytes);
        int blocks = 0;
        Check(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, _function, Threads, (nuint)dynamicSharedBytes));
        return (double)blocks * Threads / _context.ThreadsPerMultiprocessor;
    }

    /// <summary>Queues a launch; inside the context's scope.</summary>
    public void Launch<T>(CudaStream stream, int gridX, int gridY, in T arguments, int dynamicSharedBytes = 0)
        where T : unmanaged
    {
        if (dynamicSharedBytes > _sharedAllowed)
            Allow(dynamicSharedBytes);
        fixed (T* pointer = &arguments)
        {
            var parameters = stackalloc void*[1];
            parameters[0] = pointer;
            Check(
                cuLaunchKernel(_function, (uint)gridX, (uint)gridY, 1, (uint)Threads, 1, 1, (uint)dynamicSharedBytes, stream.Handle, parameters, null),
                _call);
        }

        CudaMetrics.Launched();
    }

    /// <summary>More than 48 KiB must be asked for.</summary>
    private void Allow(int bytes)
    {
        lock (_gate)
        {
            if (bytes <= _sharedAllowed)
                return;
            Check(cuFuncSetAttribute(_function, FunctionAttribute.MaxDynamicSharedSizeBytes, bytes));
            _sharedAllowed = bytes;
        }
    }

    private int Attribute(FunctionAttribute attribute)
    {
        using var scope = _context.Enter();
        int value = 0;
        Check(cuFuncGetAttribute(&value, attribute, _function));
        return value;
    }
}
