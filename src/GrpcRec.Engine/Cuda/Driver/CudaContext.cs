using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using GrpcRec.Engine.Steps;
using static GrpcRec.Engine.Cuda.Driver.CudaDriver;

namespace GrpcRec.Engine.Cuda.Driver;

/// <summary>
/// A device's primary context, shared by all engines of the process, from the first that wants it to the last that lets it go, or until
/// the device is lost. Whoever calls the driver does so inside <see cref="Enter"/>: it makes the context the thread's own, and keeps a
/// lost one from being torn down under a call.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "The lock outlives the context: whoever comes late must find it.")]
internal sealed unsafe class CudaContext
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<int, CudaContext> Current = [];

    private readonly ReaderWriterLockSlim _calls = new(LockRecursionPolicy.SupportsRecursion);
    private readonly int _device;
    private readonly nint _handle;
    private int _users;
    private volatile bool _isAlive = true;

    private CudaContext(int ordinal)
    {
        Ordinal = ordinal;
        int device = 0;
        nint handle = 0;
        Check(cuDeviceGet(&device, ordinal));
        Check(cuDevicePrimaryCtxRetain(&handle, device));
        (_device, _handle) = (device, handle);
        try
        {
            Check(cuCtxSetCurrent(handle));
            var name = stackalloc byte[128];
            Check(cuDeviceGetName(name, 128, device));
            Name = Marshal.PtrToStringUTF8((nint)name)!;
            Capability = (10 * Attribute(DeviceAttribute.ComputeCapabilityMajor)) + Attribute(DeviceAttribute.ComputeCapabilityMinor);
            Multiprocessors = Attribute(DeviceAttribute.MultiprocessorCount);
            ThreadsPerMultiprocessor = Attribute(DeviceAttribute.MaxThreadsPerMultiprocessor);
            SharedBytesPerBlock = Attribute(DeviceAttribute.MaxSharedMemoryPerBlockOptin);
        }
        catch
        {
            // Nobody else would: the context is not yet among those that are let go.
            _ = cuDevicePrimaryCtxRelease(device);
            throw;
        }
    }

    public int Ordinal { get; }

    public string Name { get; }

    /// <summary>80 for 8.0.</summary>
    public int Capability { get; }

    public int Multiprocessors { get; }

    public int ThreadsPerMultiprocessor { get; }

    /// <summary>That a kernel may ask for at most, with the attribute set.</summary>
    public int SharedBytesPerBlock { get; }

    /// <summary>False: lost or let go; its handles mean nothing any more.</summary>
    public bool IsAlive => _isAlive;

    /// <summary>Devices that the driver shows; 0 where there is no driver, too.</summary>
    public static int CountDevices()
    {
        if (!DriverLibrary.TryLoad())
            return 0;
        int count = 0;
        return cuInit(0) == CudaStatus.Success && cuDeviceGetCount(&count) == CudaStatus.Success ? count : 0;
    }

    /// <exception cref="EngineException">There is no driver or no such device.</exception>
    /// <exception cref="CudaException">The driver cannot make a context.</exception>
    public static CudaContext Acquire(int ordinal)
    {
        if (!DriverLibrary.TryLoad())
            throw new EngineException("the CUDA driver cannot be loaded: install NVIDIA's driver, or run with --engine cpu", new IOException($"tried: {DriverLibrary.Description}"));
        lock (Gate)
        {
            if (cuInit(0) is var status and not CudaStatus.Success)
                throw new EngineException($"the CUDA driver does not start: {NameOf(status)}; run with --engine cpu, or look at nvidia-smi");
            int count = 0;
            Check(cuDeviceGetCount(&count));
            if (ordinal >= count)
                throw new EngineException($"--cuda-device is {ordinal}; the driver shows {count} device(s), numbered from 0");
            if (!Current.TryGetValue(ordinal, out var context))
                Current.Add(ordinal, context = new CudaContext(ordinal));
            context._users++;
            return context;
        }
    }

    public void Release()
    {
        lock (Gate)
        {
            if (--_users > 0 || !_isAlive)
                return;
            TearDown(reset: false);
        }
    }

    /// <summary>The device is lost. The context goes for all engines; the next <see cref="Acquire"/> makes a new one. Not inside <see cref="Enter"/>.</summary>
    public void Abandon()
    {
        lock (Gate)
        {
            if (_isAlive)
                TearDown(reset: true);
        }
    }

    /// <exception cref="CudaException">The context is gone.</exception>
    public Scope Enter()
    {
        _calls.EnterReadLock();
        var status = _isAlive ? cuCtxSetCurrent(_handle) : CudaStatus.ContextIsDestroyed;
        if (status == CudaStatus.Success)
            return new Scope(_calls);
        _calls.ExitReadLock();
        throw new CudaException(status, _isAlive ? $"{NameOf(status)} ({(int)status}) from cuCtxSetCurrent" : "the device was lost");
    }

    /// <summary>For what is freed: nothing happens when the context has gone, and its memory with it.</summary>
    public void Free(Action free)
    {
        _calls.EnterReadLock();
        try
        {
            if (_isAlive && cuCtxSetCurrent(_handle) == CudaStatus.Success)
                free();
        }
        finally
        {
            _calls.ExitReadLock();
        }
    }

    /// <summary>Bytes of the device that nobody has taken.</summary>
    public long FreeBytes()
    {
        using var scope = Enter();
        nuint free = 0, total = 0;
        Check(cuMemGetInfo(&free, &total));
        return (long)free;
    }

    private void TearDown(bool reset)
    {
        _calls.EnterWriteLock();
        try
        {
            _isAlive = false;
            Current.Remove(Ordinal);
            // Statuses say nothing here: after a fault these calls answer with it.
            _ = cuDevicePrimaryCtxRelease(_device);
            if (reset)
                _ = cuDevicePrimaryCtxReset(_device);
        }
        finally
        {
            _calls.ExitWriteLock();
        }
    }

    /// <summary>0 where the driver does not tell.</summary>
    public int AttributeOrNone(DeviceAttribute attribute)
    {
        int value = 0;
        return cuDeviceGetAttribute(&value, attribute, _device) == CudaStatus.Success ? value : 0;
    }

    private int Attribute(DeviceAttribute attribute)
    {
        int value = 0;
        Check(cuDeviceGetAttribute(&value, attribute, _device));
        return value;
    }

    /// <summary>While it lasts, the context is the thread's own and stays.</summary>
    public readonly ref struct Scope(ReaderWriterLockSlim calls)
    {
        public void Dispose() => calls.ExitReadLock();
    }
}
