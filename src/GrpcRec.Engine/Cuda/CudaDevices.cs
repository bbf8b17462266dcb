using GrpcRec.Engine.Cuda.Driver;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cuda;

/// <summary>Whether this machine has what the CUDA engine needs.</summary>
public static class CudaDevices
{
    /// <summary>Devices that the driver shows; 0 without a driver.</summary>
    public static int Count => CudaContext.CountDevices();

    /// <param name="ordinal">From 0.</param>
    /// <exception cref="EngineException">There is no driver or no such device.</exception>
    public static CudaDevice Describe(int ordinal)
    {
        var context = CudaContext.Acquire(ordinal);
        try
        {
            // Two transfers a clock.
            var bandwidth = 2e3 * context.AttributeOrNone(DeviceAttribute.MemoryClockRate) * context.AttributeOrNone(DeviceAttribute.GlobalMemoryBusWidth) / 8;
            return new CudaDevice(
                context.Name, context.Capability, context.Multiprocessors, 1e3 * context.AttributeOrNone(DeviceAttribute.ClockRate), bandwidth);
        }
        finally
        {
            context.Release();
        }
    }

    /// <summary>There is a device, there are kernels, and the model is of a kind that they run. Does not load anything.</summary>
    public static bool CanRun(ModelManifest manifest, EngineOptions options)
    {
        if (!File.Exists(options.Cuda.KernelsPath) || CudaShape.WhyNot(manifest, options) is not null)
            return false;
        if (options.Cuda.Driver is { } driver)
            DriverLibrary.Use(driver);
        return options.Cuda.Device < Count;
    }
}
