using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>
/// An LSTM whose products with hidden states are of bytes: weights with a scale for each output channel, states in steps of 1/127. What
/// the first layer reads of the items stays float32, in the gate table.
/// </summary>
internal sealed class LstmInt8Weights : RecurrentWeights
{
    public LstmInt8Weights(ModelArtifact artifact, BlockKernel kernel, Int8Path path, long tableBudgetBytes)
        : base(artifact, kernel, GateLayout.Lstm(artifact.Manifest.Encoder.HiddenSize), parts: 2, tableBudgetBytes, Precision.Int8, path)
    {
        Recurrent = new Int8Matrix[Layers];
        for (var layer = 0; layer < Layers; layer++)
            Recurrent[layer] = Int8Matrix.FromGates(Layout, artifact.WeightArray(ModelTensors.RecurrentWeight(layer, EncoderKind.Lstm)));
    }

    /// <summary>By layer: weights of its own state.</summary>
    public Int8Matrix[] Recurrent { get; }

    public override CpuEncoder CreateEncoder() => new LstmInt8Encoder(this);

    public override void Dispose()
    {
        base.Dispose();
        foreach (var gates in Recurrent)
            gates.Dispose();
    }
}
