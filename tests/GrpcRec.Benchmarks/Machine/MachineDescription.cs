using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace GrpcRec.Benchmarks.Machine;

/// <summary>One line that says what the figures were taken on.</summary>
public static class MachineDescription
{
    public static string Text { get; } = Describe();

    private static string Describe()
    {
        List<string> parts =
        [
            ProcessorName(),
            $"{Environment.ProcessorCount} logical cores",
            Vectors(),
            RuntimeInformation.FrameworkDescription,
            RuntimeInformation.OSDescription,
        ];
        // The C library's allocator decides much of what libtorch costs, so it is part of the machine.
        if (Environment.GetEnvironmentVariable("GLIBC_TUNABLES") is { Length: > 0 } tunables)
            parts.Add(tunables);
        return string.Join(", ", parts);
    }

    private static string ProcessorName()
    {
        const string Source = "/proc/cpuinfo";
        var name = File.Exists(Source)
            ? File.ReadLines(Source).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim()
            : null;
        return name ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static string Vectors()
    {
        var width = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;
        return string.Create(CultureInfo.InvariantCulture, $"{width}-bit vectors{(AvxVnni.IsSupported ? " with AVX-VNNI" : "")}");
    }
}
