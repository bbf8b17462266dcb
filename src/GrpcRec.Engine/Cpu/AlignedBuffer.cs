using System.Runtime.InteropServices;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// Float32 memory outside the garbage collector, aligned to a cache line, on huge pages where the system gives them: because a
/// gather from a table of small pages misses the address cache on every row.
/// </summary>
internal sealed unsafe class AlignedBuffer : IDisposable
{
    [ThreadStatic]
    private static long s_heldByThread;

    private readonly HugePagePool.Chunk? _chunk;
    private float* _memory;

    /// <param name="length">Floats, ≥ 1.</param>
    /// <param name="cleared">False: the caller clears what it uses, and the system need not have the memory before that.</param>
    /// <exception cref="EngineException">The machine has not that much memory.</exception>
    public AlignedBuffer(long length, bool cleared = true)
    {
        Length = length;
        var bytes = checked((nuint)length * sizeof(float));
        try
        {
            void* memory;
            if (bytes < HugePagePool.ChunkBytes)
                _chunk = HugePagePool.Take(bytes, out memory);
            else
                memory = HugePagePool.Allocate(bytes);
            _memory = (float*)memory;
        }
        catch (OutOfMemoryException e)
        {
            GC.SuppressFinalize(this);
            throw new EngineException($"the engine needs {bytes >> 20} MiB in one piece and the machine has not got them: lower SlotCapacity or GateTableBudgetBytes", e);
        }

        if (cleared)
            NativeMemory.Clear(_memory, bytes);
        s_heldByThread += Bytes;
    }

    ~AlignedBuffer() => Free();

    /// <summary>
    /// Bytes of buffers that this thread made, less those that it disposed of: the difference over a constructor is what it holds.
    /// </summary>
    public static long HeldByThread => s_heldByThread;

    public long Length { get; }

    public long Bytes => Length * sizeof(float);

    /// <summary>First float; dies with the buffer.</summary>
    public float* Pointer => _memory;

    public void Dispose()
    {
        if (_memory is not null)
            s_heldByThread -= Bytes;
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_memory is null)
            return;
        if (_chunk is not null)
            HugePagePool.Return(_chunk);
        else
            NativeMemory.AlignedFree(_memory);
        _memory = null;
    }
}
