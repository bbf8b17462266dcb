using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>An Elman network's weights, packed and scaled for <see cref="TanhActivation"/>.</summary>
internal sealed class RnnWeights : RecurrentWeights
{
    public RnnWeights(ModelArtifact artifact, BlockKernel kernel, Precision precision, Int8Path path, long tableBudgetBytes)
        : base(artifact, kernel, GateLayout.Single(artifact.Manifest.Encoder.HiddenSize), parts: 1, tableBudgetBytes, precision, path)
    {
        Recurrent = new RecurrentProduct[Layers];
        for (var layer = 0; layer < Layers; layer++)
            Recurrent[layer] = RecurrentProduct.Create(precision, kernel, path, Layout, artifact.WeightArray(ModelTensors.RecurrentWeight(layer, EncoderKind.Rnn)));
    }

    /// <summary>By layer.</summary>
    public RecurrentProduct[] Recurrent { get; }

    public override CpuEncoder CreateEncoder() => new RnnEncoder(this);

    public override void Dispose()
    {
        base.Dispose();
        foreach (var weights in Recurrent)
            weights.Dispose();
    }
}
