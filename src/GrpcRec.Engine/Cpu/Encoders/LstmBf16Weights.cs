using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>
/// An LSTM whose recurrent weights are rounded to bfloat16, after the activation's scale is in them. One row reads them as words of
/// two; several rows, whose products are bound by arithmetic and not by memory, read the same numbers as floats.
/// </summary>
internal sealed class LstmBf16Weights : RecurrentWeights
{
    public LstmBf16Weights(ModelArtifact artifact, BlockKernel kernel, long tableBudgetBytes)
        : base(artifact, kernel, GateLayout.Lstm(artifact.Manifest.Encoder.HiddenSize), parts: 2, tableBudgetBytes, Precision.Bf16, default)
    {
        Recurrent = new PackedMatrix[Layers];
        Words = new Bf16Matrix[Layers];
        for (var layer = 0; layer < Layers; layer++)
        {
            Recurrent[layer] = PackedMatrix.FromGates(Layout, artifact.WeightArray(ModelTensors.RecurrentWeight(layer, EncoderKind.Lstm)));
            Words[layer] = new Bf16Matrix(Recurrent[layer]);
        }
    }

    /// <summary>By layer, rounded.</summary>
    public PackedMatrix[] Recurrent { get; }

    /// <summary>The same numbers.</summary>
    public Bf16Matrix[] Words { get; }

    public override CpuEncoder CreateEncoder() => new LstmBf16Encoder(this);

    public override void Dispose()
    {
        base.Dispose();
        foreach (var gates in Recurrent)
            gates.Dispose();
        foreach (var words in Words)
            words.Dispose();
    }
}
