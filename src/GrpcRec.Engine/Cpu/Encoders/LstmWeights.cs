using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>An LSTM's gates, packed and scaled for <see cref="GateActivation"/>.</summary>
internal sealed class LstmWeights : RecurrentWeights
{
    public LstmWeights(ModelArtifact artifact, BlockKernel kernel, long tableBudgetBytes)
        : base(artifact, kernel, GateLayout.Lstm(artifact.Manifest.Encoder.HiddenSize), parts: 2, tableBudgetBytes, Precision.Float32, default)
    {
        Recurrent = new PackedMatrix[Layers];
        for (var layer = 0; layer < Layers; layer++)
            Recurrent[layer] = PackedMatrix.FromGates(Layout, artifact.WeightArray(ModelTensors.RecurrentWeight(layer, EncoderKind.Lstm)));
    }

    /// <summary>By layer.</summary>
    public PackedMatrix[] Recurrent { get; }

    public override CpuEncoder CreateEncoder() => new LstmEncoder(this);

    public override void Dispose()
    {
        base.Dispose();
        foreach (var gates in Recurrent)
            gates.Dispose();
    }
}
