using GrpcRec.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.Encoders;

/// <summary>The mean of the events so far, then dense layers.</summary>
internal sealed class BagEncoder(ModelParameters parameters, double dropout) : SequenceEncoder(parameters, dropout)
{
    protected override Tensor Encode(Tensor x, PackedSequences packing, bool training)
    {
        var counts = new float[packing.Rows];
        for (var t = 0; t < packing.Steps; t++)
            Array.Fill(counts, t + 1, packing.Start(t), packing.Active(t));
        x = LinearScan.Run(ones_like(x), x, packing) / tensor(counts).unsqueeze(1);
        for (var layer = 0; layer < Encoder.Layers; layer++)
        {
            if (layer > 0)
                x = Drop(x, training);
            x = F.linear(x, Parameters[ModelTensors.BagWeight(layer)], Parameters[ModelTensors.BagBias(layer)]);
            x = layer == Encoder.Layers - 1 ? x.tanh() : x.relu();
        }

        return x;
    }
}
