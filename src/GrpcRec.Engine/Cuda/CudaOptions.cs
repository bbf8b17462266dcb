using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cuda;

/// <summary>Elements of the recurrent products on the device; sums are always float32.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CudaProduct>))]
public enum CudaProduct
{
    /// <summary>bf16 where the model's precision is bf16 and the device has it (8.0 and later), float32 where float32 was asked for by name, else f16.</summary>
    Auto,
    Float16,
    Bfloat16,
    Float32,
}

/// <summary>What an engine does when its device is lost. Requests in flight get UNAVAILABLE in any case.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DeviceLossAction>))]
public enum DeviceLossAction
{
    /// <summary>Makes a new context and loads the model again, once a second until that works; unhealthy meanwhile.</summary>
    Reinitialize,

    /// <summary>The CPU engine takes over, for good.</summary>
    Cpu,

    /// <summary>Stays unhealthy, so that whoever watches the process starts a new one.</summary>
    Fail,
}

/// <summary>How the CUDA engine is set up.</summary>
public sealed record CudaOptions
{
    public const string KernelsFile = "gr_kernels.fatbin";
    public const string KernelsVariable = "GRPCREC_CUDA_KERNELS";

    /// <summary>Number of the device, from 0.</summary>
    [Range(0, 63)]
    public int Device { get; init; }

    /// <summary>The driver's file. Null: GRPCREC_CUDA_DRIVER, else libcuda.so.1 as the system finds it. One for a process.</summary>
    public string? Driver { get; init; }

    /// <summary>The fat binary of the kernels. Null: GRPCREC_CUDA_KERNELS, else <see cref="KernelsFile"/> beside the program.</summary>
    public string? Kernels { get; init; }

    public CudaProduct Product { get; init; } = CudaProduct.Auto;

    /// <summary>Device memory for a model and its engines. 0: nine tenths of what is free when the model is loaded.</summary>
    [Range(0L, 1L << 40)]
    public long MemoryBudgetBytes { get; init; }

    /// <summary>Launches that come again and again are captured and started as one. For doubts: the answer is the same.</summary>
    public bool Graphs { get; init; } = true;

    public DeviceLossAction OnLoss { get; init; } = DeviceLossAction.Reinitialize;

    /// <summary>Null: nobody asks.</summary>
    [JsonIgnore]
    public EngineHealth? Health { get; init; }

    /// <summary>Times the attempts to come back.</summary>
    [JsonIgnore]
    public TimeProvider Time { get; init; } = TimeProvider.System;

    internal string KernelsPath =>
        Kernels ?? (Environment.GetEnvironmentVariable(KernelsVariable) is { Length: > 0 } path ? path : Path.Combine(AppContext.BaseDirectory, KernelsFile));
}
