using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>A minimal GRU's weights: the inputs' alone, so that with a gate table one layer multiplies nothing at all.</summary>
internal sealed class MinGruWeights(ModelArtifact artifact, BlockKernel kernel, long tableBudgetBytes)
    : RecurrentWeights(artifact, kernel, GateLayout.MinGru(artifact.Manifest.Encoder.HiddenSize), parts: 1, tableBudgetBytes, Precision.Float32, default)
{
    public override CpuEncoder CreateEncoder() => new MinGruEncoder(this);
}
