using System.Runtime.InteropServices;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// Zeroed float32 memory outside the garbage collector: aligned to a cache line, and to 2 MiB with huge pages asked for where it is
/// large, because a gather from a table of small pages misses the address cache on every row.
/// </summary>
internal sealed unsafe partial class AlignedBuffer : IDisposable
{
    private const nuint CacheLine = 64;
    private const nuint HugePage = 2 << 20;
    private const int AdviseHugePages = 14; // MADV_HUGEPAGE

    private float* _memory;

    /// <param name="length">Floats, ≥ 1.</param>
    /// <exception cref="EngineException">The machine has not that much memory.</exception>
    public AlignedBuffer(long length)
    {
        Length = length;
        var bytes = checked((nuint)length * sizeof(float));
        var large = bytes >= HugePage;
        try
        {
            _memory = (float*)NativeMemory.AlignedAlloc(bytes, large ? HugePage : CacheLine);
        }
        catch (OutOfMemoryException e)
        {
            GC.SuppressFinalize(this);
            throw new EngineException($"the engine needs {bytes >> 20} MiB in one piece and the machine has not got them: lower SlotCapacity or GateTableBudgetBytes", e);
        }

        // Advice, so a refusal changes speed alone.
        if (large && OperatingSystem.IsLinux())
            _ = Advise(_memory, bytes, AdviseHugePages);
        NativeMemory.Clear(_memory, bytes);
    }

    ~AlignedBuffer() => Free();

    public long Length { get; }

    public long Bytes => Length * sizeof(float);

    /// <summary>First float; dies with the buffer.</summary>
    public float* Pointer => _memory;

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
