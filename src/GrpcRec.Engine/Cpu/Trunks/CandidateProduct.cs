namespace GrpcRec.Engine.Cpu.Trunks;

/// <summary>
/// W_s·s + W_e·e + W_x·x + b of a sequence with its request s and many candidates e, with x their interaction: all that the first layer of a trunk is. The
/// sequence's part is the same for all candidates of a call, and the item's part is read from a table where the budget allows.
/// </summary>
internal sealed unsafe class CandidateProduct : IDisposable
{
    private readonly PackedMatrix _state, _item;
    private readonly AlignedBuffer _bias;
    private readonly AlignedBuffer? _table;

    /// <param name="items">[V, E] embeddings.</param>
    /// <param name="rows">What the columns of the product are.</param>
    public CandidateProduct(BlockKernel kernel, float[] items, CandidateRows rows, long tableBudgetBytes)
    {
        _state = PackedMatrix.FromRows(rows.Count, rows.State);
        Width = _state.Width;
        _bias = new AlignedBuffer(Width);
        rows.Bias.CopyTo(new Span<float>(_bias.Pointer, rows.Count));
        var catalogSize = items.Length / rows.Embedding;
        if ((long)catalogSize * Width * sizeof(float) > tableBudgetBytes)
        {
            _item = PackedMatrix.FromRows(rows.Count, rows.Item, rows.Interaction);
            return;
        }

        using var projection = PackedMatrix.FromRows(rows.Count, rows.Item);
        using var zero = new AlignedBuffer(Width);
        _table = CpuModel.Tabulate(kernel, items, rows.Embedding, projection, zero.Pointer);
        _item = PackedMatrix.FromRows(rows.Count, rows.Interaction);
    }

    /// <summary>Columns with padding.</summary>
    public int Width { get; }

    public bool HasItemTable => _table is not null;

    public long TableBytes => _table?.Bytes ?? 0;

    /// <param name="state">[H + R].</param>
    /// <param name="sequencePart">[Width] written: W_s·s + b.</param>
    public void Begin(BlockKernel kernel, float* state, float* sequencePart)
    {
        var bias = _bias.Pointer;
        _state.Multiply(kernel, state, 0, 1, &bias, null, sequencePart, relu: false);
    }

    /// <param name="x">[items, <paramref name="stride"/>] e ‖ x of each candidate.</param>
    /// <param name="embedding">E, where x begins.</param>
    /// <param name="first">[items] scratch; so is <paramref name="second"/>.</param>
    /// <param name="y">[items, Width] written, <paramref name="yStride"/> floats between rows (0: without gaps).</param>
    public void Run(
        BlockKernel kernel, ReadOnlySpan<int> items, float* x, nint stride, int embedding, float* sequencePart, float** first, float** second, float* y, bool relu, nint yStride = 0)
    {
        for (var r = 0; r < items.Length; r++)
        {
            first[r] = _table is null ? sequencePart : _table.Pointer + ((long)items[r] * Width);
            second[r] = sequencePart;
        }

        var isTabulated = _table is not null;
        _item.Multiply(kernel, isTabulated ? x + embedding : x, stride, items.Length, first, isTabulated ? second : null, y, relu, yStride);
    }

    public void Dispose()
    {
        foreach (var part in new IDisposable?[] { _state, _item, _bias, _table })
            part?.Dispose();
    }
}
