using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace GrpcRec.Benchmarks.Machine;

/// <summary>Memory of a given size that can be read once as fast as the machine allows: the measure of whatever must read a table of it.</summary>
public sealed unsafe class ReadMemory : IDisposable
{
    private const int HugePage = 2 << 20;
    private const int AdviseHugePages = 14;

    // Bytes of one turn of the loop.
    private const int Turn = 256;

    private readonly byte* _memory;
    private readonly long _bytes;

    public ReadMemory(long bytes)
    {
        _bytes = bytes / Turn * Turn;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, HugePage);
        // Without huge pages the address look-ups are timed as well. A system that has none refuses: no harm.
        _ = Advise(_memory, (nuint)bytes, AdviseHugePages);
        for (long at = 0; at < bytes; at += 1 << 30)
            new Span<byte>(_memory + at, (int)Math.Min(1 << 30, bytes - at)).Fill(1);
    }

    /// <param name="from">As a share of the memory.</param>
    public long Read(double from = 0, double to = 1) => Loop(_memory + Place(from), Place(to) - Place(from));

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    private long Place(double share) => (long)(_bytes / Turn * share) * Turn;

    /// <summary>Four streams of sums, so that additions never wait.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static long Loop(byte* memory, long bytes)
    {
        Vector512<long> a = default, b = default, c = default, d = default;
        for (long at = 0; at < bytes; at += Turn)
        {
            a += Vector512.Load((long*)(memory + at));
            b += Vector512.Load((long*)(memory + at + 64));
            c += Vector512.Load((long*)(memory + at + 128));
            d += Vector512.Load((long*)(memory + at + 192));
        }

        return Vector512.Sum(a + b + c + d);
    }

    [DllImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Advise(void* address, nuint bytes, int advice);
}
