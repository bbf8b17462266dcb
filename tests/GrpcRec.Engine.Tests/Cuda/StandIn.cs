using System.Runtime.InteropServices;
using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Tests.Cuda;

/// <summary>
/// The stand-in driver and the kernels that CMake has built, found in the source tree. A process has one driver, so all tests that use it
/// are of one collection. Where it is not built they are skipped, or fail when GRPCREC_CUDA_TESTS is "all", as ./test.sh --cuda sets it.
/// With "gpu", as ./test.sh --gpu sets it, the same tests run on this machine's device; what only a stand-in can do is skipped.
/// </summary>
internal static unsafe class StandIn
{
    public const string Collection = "stand-in driver";

    private const string HowTo = "The CUDA tests need the native build: native/scripts/get-nvcc.sh && cmake -B artifacts/native -S . && cmake --build artifacts/native --target kernels grsim";

    private const string OnDemand = "A device does not fail, count or change its order on demand: only the stand-in does.";

    private static readonly string[] Resources = ["device_allocations", "host_allocations", "streams", "events", "modules", "graphs"];
    private static readonly string? Root = FindRoot();
    private static readonly string DriverPath = Path.Combine(BuildFolder, "native/sim/driver/libcuda.so.1");
    private static readonly string KernelsPath = Path.Combine(BuildFolder, "gr_kernels.fatbin");

    /// <summary>Every capability and every case; else those that fit into a plain run.</summary>
    public static bool All { get; } = Environment.GetEnvironmentVariable("GRPCREC_CUDA_TESTS") is "all" or "gpu";

    /// <summary>A device has one capability, its own.</summary>
    public static string[] Capabilities { get; } = IsDevice ? [OfDevice()] : ["7.0", "7.5", "8.0", "8.6", "8.9", "9.0"];

    private static bool IsDevice => Environment.GetEnvironmentVariable("GRPCREC_CUDA_TESTS") == "gpu";

    /// <summary>Sets the stand-in up from its beginning. Skips the test, or fails it, where it is not built.</summary>
    /// <param name="capability">Null: the test does not care; it is 8.0 on the stand-in. On a device any other than its own is skipped.</param>
    public static CudaOptions Begin(string? capability = null, CudaProduct product = CudaProduct.Float16)
    {
        if (IsDevice)
        {
            Skip.If(CudaDevices.Count == 0, "There is no CUDA device here, or no driver for it.");
            Skip.If(capability is not null && capability != Capabilities[0], $"This device is of capability {Capabilities[0]}, not {capability}.");
            Assert.True(File.Exists(KernelsPath), HowTo);
            return new CudaOptions { Kernels = KernelsPath, Product = product };
        }

        Require(File.Exists(DriverPath) && File.Exists(KernelsPath), HowTo);
        Set("FAIL", "");
        Set("DELAY_US", "0");
        Set("MEM", "16384");
        Set("LOSS", "context");
        Set("SCHED", "fwd");
        Set("CC", capability ?? "8.0");
        return new CudaOptions { Driver = DriverPath, Kernels = KernelsPath, Product = product };
    }

    public static CudaEngine Create(ModelArtifact model, CudaOptions options, int slots = 64, long tableBudget = 512L << 20) => new(model, Options(options, slots, tableBudget));

    public static EngineOptions Options(CudaOptions options, int slots = 64, long tableBudget = 512L << 20) =>
        new() { Kind = EngineKind.Cuda, SlotCapacity = slots, GateTableBudgetBytes = tableBudget, Cuda = options };

    /// <summary>Skips the test where something is missing; in <see cref="All"/> fails it.</summary>
    public static void Require(bool there, string what)
    {
        Assert.True(there || !All, what);
        Skip.IfNot(there, what);
    }

    /// <summary>Where CMake builds; not there before.</summary>
    public static string BuildFolder => Path.Combine(Root ?? "", "artifacts/native");

    /// <summary>The source tree.</summary>
    public static string RequireRoot()
    {
        Require(Root is not null, "needs the source tree around the tests");
        return Root!;
    }

    public static void Set(string name, string value)
    {
        Skip.If(IsDevice, OnDemand);
        var set = (delegate* unmanaged<byte*, byte*, int>)Export("grsim_set");
        fixed (byte* n = Text(name), v = Text(value))
            Assert.Equal(1, set(n, v));
    }

    /// <summary>What is alive, or was done: the names stand in native/sim/driver/api/entry_context.cpp.</summary>
    public static long Count(string name)
    {
        Skip.If(IsDevice, OnDemand);
        var count = (delegate* unmanaged<byte*, long>)Export("grsim_count");
        fixed (byte* n = Text(name))
            return count(n);
    }

    /// <summary>Everything that an engine takes from a driver has been given back.</summary>
    public static void AssertNothingLeft() => Assert.Equal(new long[Resources.Length], Alive());

    /// <summary>How many of each resource there are. While an engine holds the context, nothing but its owner frees one of them.</summary>
    public static long[] Alive() => [.. Resources.Select(Count)];

    private static string OfDevice()
    {
        // Without one every test is skipped.
        if (CudaDevices.Count == 0)
            return "8.0";
        var capability = CudaDevices.Describe(0).Capability;
        return $"{capability / 10}.{capability % 10}";
    }

    private static byte[] Text(string text) => System.Text.Encoding.UTF8.GetBytes(text + '\0');

    private static nint Export(string name) => NativeLibrary.GetExport(NativeLibrary.Load(DriverPath), name);

    private static string? FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "GrpcRec.sln")))
            directory = directory.Parent;
        return directory?.FullName;
    }
}

[CollectionDefinition(StandIn.Collection, DisableParallelization = false)]
public sealed class StandInTests;
