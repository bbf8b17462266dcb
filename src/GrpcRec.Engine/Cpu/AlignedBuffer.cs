using System.Runtime.InteropServices;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// Zeroed float32 memory outside the garbage collector, aligned to a cache line, on huge pages where the system gives them: because a
/// gather from a table of small pages misses the address cache on every row.
/// </summary>
internal sealed unsafe class AlignedBuffer : IDisposable
{
    private readonly HugePagePool.Chunk? _chunk;
    private float* _memory;

    /// <param name="length">Floats, ≥ 1.</param>
    /// <exception cref="EngineException">The machine has not that much memory.</exception>
    public AlignedBuffer(long length)
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
        if (_memory is null)
            return;
        if (_chunk is not null)
            HugePagePool.Return(_chunk);
        else
            NativeMemory.AlignedFree(_memory);
        _memory = null;
    }
}
