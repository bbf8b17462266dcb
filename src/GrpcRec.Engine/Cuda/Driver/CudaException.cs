namespace GrpcRec.Engine.Cuda.Driver;

/// <summary>The driver refused a call, or the device is lost. Inside the engine only: callers see EngineException or EngineLostException.</summary>
internal sealed class CudaException : Exception
{
    public CudaException(CudaStatus status, string message)
        : base(message) => Status = status;

    public CudaException()
    {
    }

    public CudaException(string message)
        : base(message)
    {
    }

    public CudaException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    public CudaStatus Status { get; }

    /// <summary>Nothing in this context works from here on: what was in device memory is gone.</summary>
    public bool IsDeviceLost => Status is CudaStatus.EccUncorrectable or CudaStatus.NvlinkUncorrectable or CudaStatus.ContextIsDestroyed or CudaStatus.InvalidContext
        or CudaStatus.SystemNotReady or CudaStatus.Unknown or (>= CudaStatus.IllegalAddress and <= CudaStatus.LaunchFailed and not (CudaStatus)701);
}
