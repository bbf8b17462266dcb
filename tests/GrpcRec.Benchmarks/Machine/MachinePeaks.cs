using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using GrpcRec.Benchmarks.Timing;

namespace GrpcRec.Benchmarks.Machine;

/// <summary>
/// The machine's limits as a C# program meets them, measured in the run whose shares they are the measure of. The best round counts: a
/// limit is not an average. Reading is timed over more memory than any cache holds.
/// </summary>
/// <param name="FmaOneThread">GF/s, a fused multiply-add counted as two.</param>
/// <param name="ReadOneThread">GB/s (10⁹ bytes) of memory read once.</param>
public sealed record MachinePeaks(double FmaOneThread, double FmaTwoThreads, double ReadOneThread, double ReadTwoThreads)
{
    public const int Rounds = 9;

    /// <summary>Memory that a reading round goes through: several times a large third-level cache.</summary>
    public const long ReadBytes = 768L << 20;

    private const int FmaLoops = 4_000_000;

    /// <summary>Floating-point operations of one loop of <see cref="FmaLoop"/>.</summary>
    public const double FlopsPerLoop = Sums * 16 * 2;

    // 12 sums hide the latency of 4 cycles × 2 units with room to spare, and fit the 16 registers that AVX2 has too.
    private const int Sums = 12;

    public double Fma(int threads) => threads == 1 ? FmaOneThread : FmaTwoThreads;

    public double Read(int threads) => threads == 1 ? ReadOneThread : ReadTwoThreads;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"peaks: {FmaOneThread:F0} / {FmaTwoThreads:F0} GF/s of FMA and {ReadOneThread:F1} / {ReadTwoThreads:F1} GB/s read at 1 / 2 threads");

    public static MachinePeaks Measure()
    {
        using var pair = new PairedWork();
        using var memory = new ReadMemory(ReadBytes);
        const double Flops = FmaLoops * FlopsPerLoop;
        return new MachinePeaks(
            Flops / Best(() => FmaLoop(FmaLoops)) / 1e9,
            2 * Flops / Best(() => pair.Run(() => FmaLoop(FmaLoops), () => FmaLoop(FmaLoops))) / 1e9,
            ReadBytes / Best(() => memory.Read()) / 1e9,
            ReadBytes / Best(() => pair.Run(() => memory.Read(0, 0.5), () => memory.Read(0.5, 1))) / 1e9);
    }

    private static double Best(Action work)
    {
        var best = double.MaxValue;
        for (var round = 0; round < Rounds; round++)
        {
            var start = Stopwatch.GetTimestamp();
            work();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }

    /// <summary>Fused multiply-adds and nothing else, for a contestant of a share's own run.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static float FmaLoop(int loops)
    {
        var x = Vector512.Create(0.999999f);
        var y = Vector512.Create(1e-6f);
        Vector512<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (var loop = 0; loop < loops; loop++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, y);
            b = Vector512.FusedMultiplyAdd(b, x, y);
            c = Vector512.FusedMultiplyAdd(c, x, y);
            d = Vector512.FusedMultiplyAdd(d, x, y);
            e = Vector512.FusedMultiplyAdd(e, x, y);
            f = Vector512.FusedMultiplyAdd(f, x, y);
            g = Vector512.FusedMultiplyAdd(g, x, y);
            h = Vector512.FusedMultiplyAdd(h, x, y);
            i = Vector512.FusedMultiplyAdd(i, x, y);
            j = Vector512.FusedMultiplyAdd(j, x, y);
            k = Vector512.FusedMultiplyAdd(k, x, y);
            l = Vector512.FusedMultiplyAdd(l, x, y);
        }

        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}
