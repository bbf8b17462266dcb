namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>An Elman network's step: the recurrent product, continued from the inputs' sums, and tanh.</summary>
internal sealed unsafe class RnnEncoder(RnnWeights weights) : RecurrentEncoder(weights)
{
    // [MaxRuns, width].
    private readonly AlignedBuffer _sums = new((long)MaxRuns * weights.GateWidth);

    public override void Dispose()
    {
        base.Dispose();
        _sums.Dispose();
    }

    protected override void Step(int layer, in RecurrentStep step)
    {
        weights.Recurrent[layer].Multiply(Scratch, step.X, step.Stride, step.Rows, step.First, step.Second, _sums.Pointer, weights.GateWidth);
        for (var r = 0; r < step.Rows; r++)
            weights.Kernel.Tanh(_sums.Pointer + ((nint)r * weights.GateWidth), step.Hidden[r], weights.Units);
    }
}
