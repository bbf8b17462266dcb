using GrpcRec.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.Encoders;

/// <summary>
/// A GRU whose reset stands before the product (Cho et al. 2014): a step is two products, one after the other, in torch's own operations.
/// Several times slower than the reset after the product, which is why that is the default.
/// </summary>
internal sealed class GruBeforeProductEncoder(ModelParameters parameters, double dropout) : SequenceEncoder(parameters, dropout)
{
    protected override Tensor Encode(Tensor x, PackedSequences packing, bool training)
    {
        int hidden = Encoder.HiddenSize;
        x = packing.Pad(x);
        for (var layer = 0; layer < Encoder.Layers; layer++)
        {
            if (layer > 0)
                x = Drop(x, training);
            var sums = F.linear(x, Parameters[ModelTensors.InputWeight(layer, EncoderKind.Gru)], Parameters[ModelTensors.Bias(layer, EncoderKind.Gru)]);
            Tensor weights = Parameters[ModelTensors.RecurrentWeight(layer, EncoderKind.Gru)];
            Tensor gateWeights = weights.narrow(0, 0, 2 * hidden), candidateWeights = weights.narrow(0, 2 * hidden, hidden);
            var h = zeros(x.shape[1], hidden);
            var states = new Tensor[x.shape[0]];
            for (var t = 0; t < states.Length; t++)
            {
                var gates = (sums[t].narrow(1, 0, 2 * hidden) + F.linear(h, gateWeights)).sigmoid();
                Tensor r = gates.narrow(1, 0, hidden), z = gates.narrow(1, hidden, hidden);
                var n = (sums[t].narrow(1, 2 * hidden, hidden) + F.linear(r * h, candidateWeights)).tanh();
                states[t] = h = n + (z * (h - n));
            }

            x = stack(states);
        }

        return packing.Pack(x);
    }
}
