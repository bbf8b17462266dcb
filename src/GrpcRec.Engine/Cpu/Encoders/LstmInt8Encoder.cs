namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>
/// An LSTM's step in int8. A slot keeps its hidden state as floats; its bytes are made of them where a run begins and by each step
/// for the next, by the same rounding, so it does not matter where a sequence is cut.
/// </summary>
internal sealed unsafe class LstmInt8Encoder : RecurrentEncoder
{
    private readonly LstmInt8Weights _weights;
    private readonly PointerBuffer _cell = new(MaxRuns);

    // [2, MaxRuns, stride] the rows of a step and of the next one.
    private readonly AlignedBuffer _codes;

    // Which half of the rows is the coming step's.
    private int _side;

    public LstmInt8Encoder(LstmInt8Weights weights)
        : base(weights)
    {
        _weights = weights;
        _codes = new AlignedBuffer(2 * MaxRuns * Scratch.Stride / sizeof(float));
    }

    public override void Dispose()
    {
        base.Dispose();
        _cell.Dispose();
        _codes.Dispose();
    }

    protected override void Step(int layer, in RecurrentStep step)
    {
        var reduced = _weights.Kernel.Reduced;
        if (step.Begins)
        {
            _side = 0;
            for (var r = 0; r < step.Rows; r++)
                reduced.Quantise(step.X + (r * step.Stride), Codes(0) + (r * Scratch.Stride), _weights.Units);
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
            CodeStride = Scratch.Stride,
            First = step.First,
            Second = step.Second,
            Next = step.Next,
            NextRows = step.NextRows,
            Cell = _cell.Pointer,
            Hidden = step.Hidden,
            Sums = Scratch.Sums,
            Backward = step.Backward,
        });
        _side = 1 - _side;
    }

    private byte* Codes(int side) => (byte*)_codes.Pointer + (side * MaxRuns * Scratch.Stride);
}
