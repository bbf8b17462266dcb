using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;

namespace GrpcRec.Engine.Tests.Cpu;

/// <summary>Auto takes what the processor has: shown in processes in which the runtime was told to do without.</summary>
public sealed class KernelPathTests
{
    [SkippableFact]
    public async Task Auto_WithoutAvx512_IsTheAvx2PathBitForBit()
    {
        Skip.IfNot(Avx2.IsSupported && Fma.IsSupported, "this processor has no AVX2");
        var lines = await RunProbe("DOTNET_EnableAVX512");
        Assert.Contains("Vector512 False", lines);
        Assert.Contains("Vector256 True", lines);
        Assert.Contains(lines, line => line.StartsWith("Avx512 refused: this processor has no AVX-512", StringComparison.Ordinal));
        Assert.Contains("engine cpu-avx2", lines);
        Assert.Equal(KernelProbe.BitsOf(KernelPath.Avx2), lines[3..]);
    }

    [SkippableFact]
    public async Task Auto_WithoutAvx2_IsThePortablePathBitForBit()
    {
        Skip.IfNot(Sse2.IsSupported, "this is no x86 processor");
        var lines = await RunProbe("DOTNET_EnableAVX2", "DOTNET_EnableAVX");
        Assert.Contains("Vector256 False", lines);
        Assert.Contains("engine cpu-portable", lines);
        Assert.Equal(KernelProbe.BitsOf(KernelPath.Portable), lines[3..]);
    }

    [SkippableTheory]
    [InlineData(KernelPath.Avx512, "cpu-avx512")]
    [InlineData(KernelPath.Avx2, "cpu-avx2")]
    public void Create_Path_IsInTheName(KernelPath path, string name)
    {
        KernelPaths.Kernel(path);
        using var engine = StepEngineFactory.Create(RandomModel.Create(new ModelShape(4)), new EngineOptions { Kind = EngineKind.Cpu, Path = path });
        Assert.Equal(name, engine.Name);
    }

    private static async Task<string[]> RunProbe(params string[] switchedOff)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(KernelProbe).Assembly.Location])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var name in switchedOff)
            start.Environment[name] = "0";
        using var child = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var errors = child.StandardError.ReadToEndAsync(limit.Token);
        var output = await child.StandardOutput.ReadToEndAsync(limit.Token);
        await child.WaitForExitAsync(limit.Token);
        Assert.True(child.ExitCode == 0, await errors);
        return output.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
    }
}
