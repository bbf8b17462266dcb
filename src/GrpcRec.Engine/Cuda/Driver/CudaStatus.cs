namespace GrpcRec.Engine.Cuda.Driver;

/// <summary>The driver's answers that this code tells apart; the others are named by the driver itself.</summary>
internal enum CudaStatus
{
    Success = 0,
    OutOfMemory = 2,
    InvalidContext = 201,
    NoBinaryForGpu = 209,
    EccUncorrectable = 214,
    NvlinkUncorrectable = 220,
    NotFound = 500,
    IllegalAddress = 700,
    LaunchTimeout = 702,
    ContextIsDestroyed = 709,
    Assert = 710,
    HardwareStackError = 714,
    LaunchFailed = 719,
    SystemNotReady = 802,
    Unknown = 999,
}

/// <summary>Attributes of a device, by their numbers in the driver API.</summary>
internal enum DeviceAttribute
{
    /// <summary>kHz.</summary>
    ClockRate = 13,
    MultiprocessorCount = 16,

    /// <summary>kHz.</summary>
    MemoryClockRate = 36,

    /// <summary>Bits.</summary>
    GlobalMemoryBusWidth = 37,
    MaxThreadsPerMultiprocessor = 39,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    MaxSharedMemoryPerBlockOptin = 97,
}

/// <summary>Attributes of a function.</summary>
internal enum FunctionAttribute
{
    NumRegs = 4,
    MaxDynamicSharedSizeBytes = 8,
}
