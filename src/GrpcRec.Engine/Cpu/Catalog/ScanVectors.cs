namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>A tile's projected queries and their codes, read by every thread that scans for them.</summary>
internal sealed unsafe class ScanVectors : IDisposable
{
    private readonly AlignedBuffer _vectors, _codes;

    /// <param name="width">Of a projected query, padded to 64.</param>
    /// <param name="depth">E.</param>
    public ScanVectors(int rows, int width, int depth)
    {
        Rows = rows;
        // Rows that start at the same place of a page would fight for the same lines of the first-level cache.
        Stride = width + 16;
        CodeStride = 4 * Int8Kernel.Groups(depth);
        _vectors = new AlignedBuffer(rows * Stride);
        _codes = new AlignedBuffer(((rows * CodeStride) + sizeof(float) - 1) / sizeof(float));
    }

    public int Rows { get; }

    /// <summary>Floats between rows.</summary>
    public nint Stride { get; }

    /// <summary>Bytes between rows.</summary>
    public nint CodeStride { get; }

    /// <summary>[E, padded to 64].</summary>
    public float* Vector(int row) => _vectors.Pointer + (row * Stride);

    /// <summary>[E, padded to 4].</summary>
    public sbyte* Codes(int row) => (sbyte*)_codes.Pointer + (row * CodeStride);

    public void Dispose()
    {
        _vectors.Dispose();
        _codes.Dispose();
    }
}
