namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>What the products of one encoder with hidden states work in: bytes of states and their integer sums.</summary>
internal sealed unsafe class ProductScratch : IDisposable
{
    private readonly AlignedBuffer _codes, _sums;

    /// <param name="units">Of a hidden state, padded.</param>
    public ProductScratch(int rows, int units)
    {
        Stride = ((units + 63) / 64 * 64) + 64;
        _codes = new AlignedBuffer(rows * Stride / sizeof(float));
        _sums = new AlignedBuffer(Int8Kernel.MaxRows * Int8Kernel.Columns);
    }

    /// <summary>Bytes between rows: a cache line more than the row, since rows a power of two apart would share the cache's sets.</summary>
    public nint Stride { get; }

    /// <summary>[rows, Stride].</summary>
    public byte* Codes => (byte*)_codes.Pointer;

    /// <summary>[6, 64].</summary>
    public int* Sums => (int*)_sums.Pointer;

    public void Dispose()
    {
        _codes.Dispose();
        _sums.Dispose();
    }
}
