using System.Runtime.InteropServices;
using GrpcRec.Engine.Cuda.Driver;

namespace GrpcRec.Engine.Cuda;

/// <summary>Brings a model's arrays to the device, and remembers them so that they go together.</summary>
internal sealed unsafe class CudaLoad(CudaContext context, CudaModule module, DeviceBudget budget) : IDisposable
{
    private const int StagingBytes = 4 << 20;

    private readonly List<DeviceMemory> _memory = [];
    private readonly CudaStream _stream = new(context);

    public CudaContext Context => context;

    public CudaModule Module => module;

    public DeviceBudget Budget => budget;

    public CudaStream Stream => _stream;

    public long Bytes => _memory.Sum(memory => memory.Bytes);

    /// <summary>Not cleared.</summary>
    public ulong Allocate(long bytes, string what)
    {
        var memory = DeviceMemory.Allocate(context, budget, bytes, what);
        _memory.Add(memory);
        return memory.Address;
    }

    public ulong Upload(ReadOnlySpan<byte> data, string what)
    {
        var address = Allocate(data.Length, what);
        using var scope = context.Enter();
        fixed (byte* pointer = data)
        {
            _stream.Upload(address, pointer, data.Length);
            _stream.Synchronize();
        }

        return address;
    }

    public ulong Upload(ReadOnlySpan<float> data, string what) => Upload(MemoryMarshal.AsBytes(data), what);

    /// <summary>Rows made wider by zeros.</summary>
    /// <param name="rows">[count, width].</param>
    /// <returns>Address of [count, padded].</returns>
    public ulong UploadPadded(ReadOnlySpan<float> rows, int width, int padded, string what)
    {
        if (width == padded)
            return Upload(rows, what);
        var count = rows.Length / width;
        var address = Allocate((long)count * padded * sizeof(float), what);
        var perPiece = Math.Max(1, StagingBytes / (padded * sizeof(float)));
        var piece = new float[perPiece * padded];
        using var scope = context.Enter();
        for (var first = 0; first < count; first += perPiece)
        {
            var some = Math.Min(perPiece, count - first);
            for (var row = 0; row < some; row++)
                rows.Slice((first + row) * width, width).CopyTo(piece.AsSpan(row * padded));
            fixed (float* pointer = piece)
            {
                _stream.Upload(address + ((ulong)first * (ulong)padded * sizeof(float)), pointer, (long)some * padded * sizeof(float));
                _stream.Synchronize();
            }
        }

        return address;
    }

    public void Dispose()
    {
        foreach (var memory in _memory)
            memory.Dispose();
        _stream.Dispose();
    }
}
