using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace GrpcRec.Engine.Cuda.Driver;

/// <summary>
/// The part of the CUDA driver API that the engine calls, one to one, under the driver's own names. Handles are the driver's; who owns
/// one stands in the types beside this.
/// </summary>
internal static unsafe partial class CudaDriver
{
    private const string Library = DriverLibrary.Name;

    [LibraryImport(Library)]
    public static partial CudaStatus cuInit(uint flags);

    [LibraryImport(Library)]
    public static partial CudaStatus cuDeviceGetCount(int* count);

    [LibraryImport(Library)]
    public static partial CudaStatus cuDeviceGet(int* device, int ordinal);

    [LibraryImport(Library)]
    public static partial CudaStatus cuDeviceGetName(byte* name, int bytes, int device);

    [LibraryImport(Library)]
    public static partial CudaStatus cuDeviceGetAttribute(int* value, DeviceAttribute attribute, int device);

    [LibraryImport(Library)]
    public static partial CudaStatus cuDevicePrimaryCtxRetain(nint* context, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRelease_v2")]
    public static partial CudaStatus cuDevicePrimaryCtxRelease(int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxReset_v2")]
    public static partial CudaStatus cuDevicePrimaryCtxReset(int device);

    [LibraryImport(Library)]
    public static partial CudaStatus cuCtxSetCurrent(nint context);

    [LibraryImport(Library)]
    public static partial CudaStatus cuModuleLoadData(nint* module, void* image);

    [LibraryImport(Library)]
    public static partial CudaStatus cuModuleUnload(nint module);

    [LibraryImport(Library)]
    public static partial CudaStatus cuModuleGetFunction(nint* function, nint module, byte* name);

    [LibraryImport(Library)]
    public static partial CudaStatus cuFuncGetAttribute(int* value, FunctionAttribute attribute, nint function);

    [LibraryImport(Library)]
    public static partial CudaStatus cuFuncSetAttribute(nint function, FunctionAttribute attribute, int value);

    [LibraryImport(Library)]
    public static partial CudaStatus cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, nint function, int threads, nuint dynamicSharedBytes);

    [LibraryImport(Library, EntryPoint = "cuMemGetInfo_v2")]
    public static partial CudaStatus cuMemGetInfo(nuint* free, nuint* total);

    [LibraryImport(Library, EntryPoint = "cuMemAlloc_v2")]
    public static partial CudaStatus cuMemAlloc(ulong* address, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cuMemFree_v2")]
    public static partial CudaStatus cuMemFree(ulong address);

    [LibraryImport(Library)]
    public static partial CudaStatus cuMemHostAlloc(void** pointer, nuint bytes, uint flags);

    [LibraryImport(Library)]
    public static partial CudaStatus cuMemFreeHost(void* pointer);

    [LibraryImport(Library, EntryPoint = "cuMemcpyHtoDAsync_v2")]
    public static partial CudaStatus cuMemcpyHtoDAsync(ulong to, void* from, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoHAsync_v2")]
    public static partial CudaStatus cuMemcpyDtoHAsync(void* to, ulong from, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial CudaStatus cuMemsetD8Async(ulong to, byte value, nuint count, nint stream);

    [LibraryImport(Library)]
    public static partial CudaStatus cuStreamCreate(nint* stream, uint flags);

    [LibraryImport(Library, EntryPoint = "cuStreamDestroy_v2")]
    public static partial CudaStatus cuStreamDestroy(nint stream);

    [LibraryImport(Library)]
    public static partial CudaStatus cuStreamSynchronize(nint stream);

    [LibraryImport(Library)]
    public static partial CudaStatus cuStreamWaitEvent(nint stream, nint @event, uint flags);

    [LibraryImport(Library)]
    public static partial CudaStatus cuEventCreate(nint* @event, uint flags);

    [LibraryImport(Library, EntryPoint = "cuEventDestroy_v2")]
    public static partial CudaStatus cuEventDestroy(nint @event);

    [LibraryImport(Library)]
    public static partial CudaStatus cuEventRecord(nint @event, nint stream);

    [LibraryImport(Library)]
    public static partial CudaStatus cuEventSynchronize(nint @event);

    [LibraryImport(Library)]
    public static partial CudaStatus cuLaunchKernel(
        nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint dynamicSharedBytes, nint stream, void** parameters, void** extra);

    [LibraryImport(Library, EntryPoint = "cuStreamBeginCapture_v2")]
    public static partial CudaStatus cuStreamBeginCapture(nint stream, int mode);

    [LibraryImport(Library)]
    public static partial CudaStatus cuStreamEndCapture(nint stream, nint* graph);

    [LibraryImport(Library)]
    public static partial CudaStatus cuGraphInstantiateWithFlags(nint* executable, nint graph, ulong flags);

    [LibraryImport(Library)]
    public static partial CudaStatus cuGraphLaunch(nint executable, nint stream);

    [LibraryImport(Library)]
    public static partial CudaStatus cuGraphExecDestroy(nint executable);

    [LibraryImport(Library)]
    public static partial CudaStatus cuGraphDestroy(nint graph);

    [LibraryImport(Library)]
    public static partial CudaStatus cuGetErrorName(CudaStatus status, byte** name);

    /// <exception cref="CudaException">The status is not success; its text names the driver's word for it and the call.</exception>
    public static void Check(CudaStatus status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != CudaStatus.Success)
            throw new CudaException(status, $"{NameOf(status)} ({(int)status}) from {call.AsSpan(0, Math.Max(0, call.IndexOf('('))).ToString()}");
    }

    public static string NameOf(CudaStatus status)
    {
        byte* name = null;
        return cuGetErrorName(status, &name) == CudaStatus.Success && name is not null ? Marshal.PtrToStringUTF8((nint)name)! : status.ToString();
    }
}
