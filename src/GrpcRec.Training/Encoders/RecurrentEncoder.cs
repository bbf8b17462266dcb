using GrpcRec.Engine.Models;
using GrpcRec.Training.Kernels;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.Encoders;

/// <summary>LSTM, GRU with the reset after the product, or Elman RNN: one product for the inputs of all events, then <see cref="BlockRecurrence{TCell}"/>.</summary>
internal sealed class RecurrentEncoder<TCell> : SequenceEncoder
    where TCell : struct, IRecurrentCell
{
    private readonly long[] _input, _recurrent, _bias;

    public RecurrentEncoder(ModelParameters parameters, double dropout)
        : base(parameters, dropout)
    {
        int hidden = Encoder.HiddenSize, gates = ModelTensors.Gates(Encoder.Kind), biases = gates + (Encoder.ResetPlacement == ResetPlacement.AfterProduct ? 1 : 0);
        _input = BlockRecurrence<TCell>.Order(hidden, TCell.InputGate, gates * hidden);
        _recurrent = BlockRecurrence<TCell>.Order(hidden, TCell.RecurrentGate, gates * hidden);
        // A sum without an input's part is the one that takes the bias inside the reset.
        _bias = BlockRecurrence<TCell>.Order(hidden, sum => TCell.InputGate(sum) is >= 0 and var gate ? gate : gates, biases * hidden);
    }

    protected override Tensor Encode(Tensor x, PackedSequences packing, bool training)
    {
        using Tensor inputOrder = tensor(_input), recurrentOrder = tensor(_recurrent), biasOrder = tensor(_bias);
        for (var layer = 0; layer < Encoder.Layers; layer++)
        {
            if (layer > 0)
                x = Drop(x, training);
            Tensor bias = Parameters[ModelTensors.Bias(layer, Encoder.Kind)];
            if (Encoder.ResetPlacement == ResetPlacement.AfterProduct)
                bias = cat([bias, Parameters[ModelTensors.ResetBias(layer)]], 0);
            var input = InBlocks(Parameters[ModelTensors.InputWeight(layer, Encoder.Kind)], inputOrder);
            x = BlockRecurrence<TCell>.Run(
                F.linear(x, input, InBlocks(bias.unsqueeze(1), biasOrder).squeeze(1)),
                InBlocks(Parameters[ModelTensors.RecurrentWeight(layer, Encoder.Kind)], recurrentOrder), packing);
        }

        return x;
    }

    /// <summary>Rows in the order of the blocks, zeros where nothing belongs.</summary>
    private static Tensor InBlocks(Tensor gates, Tensor order) => cat([gates, zeros(1, gates.shape[1])], 0).index_select(0, order);
}
