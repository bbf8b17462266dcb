namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>
/// An LSTM's step in int8. A slot keeps its hidden state as floats; its bytes are made of them where a run begins and by each step
/// for the next, by the same rounding, so it does not matter where a sequence is cut.
/// </summary>
internal sealed unsafe class LstmInt8Encoder : RecurrentEncoder
{
    private readonly LstmInt8Weights _weights;
    private readonly AlignedBuffer _sums = new(Int8Kernel.MaxRows * Int8Kernel.Columns);
    private readonly PointerBuffer _cell = new(MaxRuns);

    // Bytes between rows: a cache line more than the row, since rows a power of two apart would share the cache's sets.
    private readonly nint _stride;

    // [2, MaxRuns, stride] the rows of a step and of the next one; [MaxEvents, stride] states of the layer below, null where there is none.
    private readonly AlignedBuffer _codes;
    private readonly AlignedBuffer? _below;

    // Which half of the rows is the coming step's.
    private int _side;

    public LstmInt8Encoder(LstmInt8Weights weights)
        : base(weights)
    {
        _weights = weights;
        _stride = ((weights.Units + 63) / 64 * 64) + 64;
        _codes = new AlignedBuffer(2 * MaxRuns * _stride / sizeof(float));
        if (weights.Layers > 1)
            _below = new AlignedBuffer(MaxEvents * _stride / sizeof(float));
    }

    public override void Dispose()
    {
        base.Dispose();
        _sums.Dispose();
        _cell.Dispose();
        _codes.Dispose();
        _below?.Dispose();
    }

    protected override void MultiplyBelow(int layer, float* x, nint stride, int rows, float** first, float* y, nint yStride)
    {
        var reduced = _weights.Kernel.Reduced;
        var codes = (byte*)_below!.Pointer;
        for (var r = 0; r < rows; r++)
            reduced.Quantise(x + (r * stride), codes + (r * _stride), _weights.Units);
        reduced.Multiply(_weights.Path, _weights.Below[layer]!, codes, _stride, rows, first, (int*)_sums.Pointer, y, yStride);
    }

    protected override void Step(int layer, in RecurrentStep step)
    {
        var reduced = _weights.Kernel.Reduced;
        if (step.Begins)
        {
            _side = 0;
            for (var r = 0; r < step.Rows; r++)
                reduced.Quantise(step.X + (r * step.Stride), Codes(0) + (r * _stride), _weights.Units);
        }

        for (var r = 0; r < step.Rows; r++)
            _cell[r] = step.State[r] + _weights.Units;
        reduced.Lstm(new LstmInt8Step
        {
            Rows = step.Rows,
            Weights = _weights.Recurrent[layer],
            Path = _weights.Path,
            Codes = Codes(_side),
            NextCodes = Codes(1 - _side),
            CodeStride = _stride,
            First = step.First,
            Second = step.Second,
            Next = step.Next,
            NextRows = step.NextRows,
            Cell = _cell.Pointer,
            Hidden = step.Hidden,
            Sums = (int*)_sums.Pointer,
            Backward = step.Backward,
        });
        _side = 1 - _side;
    }

    private byte* Codes(int side) => (byte*)_codes.Pointer + (side * MaxRuns * _stride);
}
