namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>A GRU's step, with the reset gate before the candidate's product or after it.</summary>
internal sealed unsafe class GruEncoder(GruWeights weights) : RecurrentEncoder(weights)
{
    // [MaxRuns, width of r and z] and [MaxRuns, width of n].
    private readonly AlignedBuffer _gates = new((long)MaxRuns * weights.CandidateColumn);
    private readonly AlignedBuffer _candidates = new((long)MaxRuns * weights.Candidate[0].Width);

    // [MaxRuns, Units] what the reset gate leaves of the old states; null where it applies after the product.
    private readonly AlignedBuffer? _reset = weights.ResetsAfterProduct ? null : new((long)MaxRuns * weights.Units);
    private readonly PointerBuffer _first = new(MaxRuns), _second = new(MaxRuns);

    public override void Dispose()
    {
        base.Dispose();
        foreach (var buffer in new IDisposable?[] { _gates, _candidates, _reset, _first, _second })
            buffer?.Dispose();
    }

    protected override void Step(int layer, in RecurrentStep step)
    {
        // 1. r and z.
        weights.Gates[layer].Multiply(Scratch, step.X, step.Stride, step.Rows, step.First, step.Second, _gates.Pointer, weights.CandidateColumn);

        // 2. n and the new state.
        if (weights.ResetsAfterProduct)
            UpdateAfterProduct(layer, step);
        else
            UpdateBeforeProduct(layer, step);
    }

    private void UpdateAfterProduct(int layer, in RecurrentStep step)
    {
        for (var r = 0; r < step.Rows; r++)
            _first[r] = weights.CandidateStart(layer);
        weights.Candidate[layer].Multiply(Scratch, step.X, step.Stride, step.Rows, _first.Pointer, null, _candidates.Pointer, weights.Candidate[0].Width);
        for (var r = 0; r < step.Rows; r++)
        {
            weights.Kernel.GruResetAndUpdate(
                Gates(r), step.First[r] + weights.CandidateColumn, step.Second is null ? null : step.Second[r] + weights.CandidateColumn, Candidate(r),
                step.X + (r * step.Stride), step.Hidden[r], weights.Units);
        }
    }

    private void UpdateBeforeProduct(int layer, in RecurrentStep step)
    {
        for (var r = 0; r < step.Rows; r++)
        {
            _first[r] = step.First[r] + weights.CandidateColumn;
            if (step.Second is not null)
                _second[r] = step.Second[r] + weights.CandidateColumn;
            weights.Kernel.GruReset(Gates(r), step.X + (r * step.Stride), _reset!.Pointer + ((nint)r * weights.Units), weights.Units);
        }

        weights.Candidate[layer].Multiply(
            Scratch, _reset!.Pointer, weights.Units, step.Rows, _first.Pointer, step.Second is null ? null : _second.Pointer, _candidates.Pointer, weights.Candidate[0].Width);
        for (var r = 0; r < step.Rows; r++)
            weights.Kernel.GruUpdate(Gates(r), Candidate(r), step.X + (r * step.Stride), step.Hidden[r], weights.Units);
    }

    /// <summary>[CandidateColumn] sums of r and z.</summary>
    private float* Gates(int row) => _gates.Pointer + ((nint)row * weights.CandidateColumn);

    /// <summary>[Candidate.Width] sums of n.</summary>
    private float* Candidate(int row) => _candidates.Pointer + ((nint)row * weights.Candidate[0].Width);
}
