using GrpcRec.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.Encoders;

/// <summary>A minimal GRU (Feng et al. 2024): one product for all events, activations, and <see cref="LinearScan"/>.</summary>
internal sealed class MinGruEncoder(ModelParameters parameters, double dropout) : SequenceEncoder(parameters, dropout)
{
    protected override Tensor Encode(Tensor x, PackedSequences packing, bool training)
    {
        int hidden = Encoder.HiddenSize;
        for (var layer = 0; layer < Encoder.Layers; layer++)
        {
            if (layer > 0)
                x = Drop(x, training);
            var sums = F.linear(x, Parameters[ModelTensors.InputWeight(layer, EncoderKind.MinGru)], Parameters[ModelTensors.Bias(layer, EncoderKind.MinGru)]);
            var z = sums.narrow(1, 0, hidden);
            x = LinearScan.Run(z.neg().sigmoid(), z.sigmoid() * sums.narrow(1, hidden, hidden).tanh(), packing);
        }

        return x;
    }
}
