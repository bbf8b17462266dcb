namespace GrpcRec.Engine.Cpu;

/// <summary>What one engine works in: sized once for a tile of rows, so that no call takes memory.</summary>
internal sealed unsafe class CpuScratch : IDisposable
{
    /// <summary>Rows worked on together: enough to reuse a block of weights, few enough for their inputs to stay in the second-level cache.</summary>
    public const int TileRows = 48;

    private readonly AlignedBuffer _sums, _hidden, _first, _a, _b;

    /// <param name="width">Longest row of a layer's outputs.</param>
    /// <param name="state">H + R.</param>
    public CpuScratch(int width, int state)
    {
        _sums = new AlignedBuffer(BlockKernel.MaxRows * BlockKernel.Columns);
        _hidden = new AlignedBuffer(PackedMatrix.PaddedWidth(state));
        _a = new AlignedBuffer((long)TileRows * width);
        _b = new AlignedBuffer((long)TileRows * width);
        _first = new AlignedBuffer(TileRows * sizeof(float*) / sizeof(float));
    }

    public static CpuScratch ForHeads(CpuModel model) =>
        new(Math.Max(model.Heads.MaxWidth, PackedMatrix.PaddedWidth(model.Embedding)), model.State);

    /// <summary>[6, 64] sums of one block.</summary>
    public float* Sums => _sums.Pointer;

    /// <summary>[H + R padded to 64] one hidden state and the embeddings of its request's features, zero past them.</summary>
    public float* Hidden => _hidden.Pointer;

    /// <summary>[TileRows, widest head] for a layer's output; so is <see cref="B"/>.</summary>
    public float* A => _a.Pointer;

    public float* B => _b.Pointer;

    /// <summary>[TileRows] where sums start.</summary>
    public float** First => (float**)_first.Pointer;

    public void Dispose()
    {
        foreach (var buffer in new[] { _sums, _hidden, _first, _a, _b })
            buffer.Dispose();
    }
}
