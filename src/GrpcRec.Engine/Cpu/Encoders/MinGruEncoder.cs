namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>A minimal GRU's step: gather, activate, mix with the old state.</summary>
internal sealed unsafe class MinGruEncoder(MinGruWeights weights) : RecurrentEncoder(weights)
{
    protected override void Step(int layer, in RecurrentStep step)
    {
        for (var r = 0; r < step.Rows; r++)
        {
            weights.Kernel.GruMix(
                step.First[r], step.Second is null ? null : step.Second[r], weights.Units, step.X + (r * step.Stride), step.Hidden[r], weights.Units);
        }
    }
}
