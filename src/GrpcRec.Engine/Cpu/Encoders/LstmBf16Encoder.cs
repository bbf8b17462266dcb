namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>An LSTM's step with weights in bfloat16.</summary>
internal sealed unsafe class LstmBf16Encoder(LstmBf16Weights weights) : RecurrentEncoder(weights)
{
    private readonly AlignedBuffer _sums = new(BlockKernel.MaxRows * BlockKernel.Columns);
    private readonly PointerBuffer _cell = new(MaxRuns);

    public override void Dispose()
    {
        base.Dispose();
        _sums.Dispose();
        _cell.Dispose();
    }

    protected override void Step(int layer, in RecurrentStep step)
    {
        for (var r = 0; r < step.Rows; r++)
            _cell[r] = step.State[r] + weights.Units;
        var lstm = new LstmStep
        {
            Rows = step.Rows,
            Weights = weights.Recurrent[layer],
            X = step.X,
            Stride = step.Stride,
            First = step.First,
            Second = step.Second,
            Next = step.Next,
            NextRows = step.NextRows,
            Cell = _cell.Pointer,
            Hidden = step.Hidden,
            Sums = _sums.Pointer,
            Backward = step.Backward,
        };
        if (step.Rows == 1)
            weights.Kernel.Reduced.LstmRow(weights.Words[layer], lstm);
        else
            weights.Kernel.Lstm(lstm);
    }
}
