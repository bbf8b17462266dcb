using GrpcRec.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.Encoders;

/// <summary>Events to hidden states: embeddings, dropout, LSTM layers from a zero state with dropout between them.</summary>
internal sealed class LstmEncoder(ModelParameters parameters, double dropout)
{
    private readonly long[] _order = LstmRecurrence.GateOrder(parameters.Manifest.Encoder.HiddenSize);

    /// <param name="items">[T, B] int64 dense item ids; padding at the end is any id, its states are never read.</param>
    /// <param name="behaviors">[T, B] int64; not read when the model reads no behaviours.</param>
    /// <returns>[T, B, H] state after each event.</returns>
    public Tensor Forward(Tensor items, Tensor? behaviors, bool training)
    {
        using var scope = NewDisposeScope();
        var x = parameters.Embed(ModelTensors.ItemEmbedding, items);
        if (parameters.Has(ModelTensors.BehaviorEmbedding))
            x = cat([x, parameters.Embed(ModelTensors.BehaviorEmbedding, behaviors!)], 2);
        using var order = tensor(_order);
        for (var layer = 0; layer < parameters.Manifest.Encoder.Layers; layer++)
        {
            if (training && dropout > 0)
                x = F.dropout(x, dropout, training: true);
            var bias = InBlocks(parameters[ModelTensors.Bias(layer)].unsqueeze(1), order).squeeze(1);
            x = LstmRecurrence.Run(
                F.linear(x, InBlocks(parameters[ModelTensors.InputWeight(layer)], order), bias),
                InBlocks(parameters[ModelTensors.RecurrentWeight(layer)], order));
        }

        return x.MoveToOuterDisposeScope();
    }

    /// <summary>Rows of gates in the order of <see cref="LstmRecurrence.GateOrder"/>, zeros where it pads.</summary>
    private static Tensor InBlocks(Tensor gates, Tensor order) => cat([gates, zeros(1, gates.shape[1])], 0).index_select(0, order);
}
