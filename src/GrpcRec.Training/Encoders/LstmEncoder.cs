using GrpcRec.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.Encoders;

/// <summary>Events to hidden states: embeddings, dropout, LSTM from a zero state.</summary>
internal sealed class LstmEncoder(ModelParameters parameters, double dropout)
{
    /// <param name="items">[T, B] int64 dense item ids; padding at the end is any id, its states are never read.</param>
    /// <param name="behaviors">[T, B] int64; not read when the model reads no behaviours.</param>
    /// <returns>[T, B, H] state after each event.</returns>
    public Tensor Forward(Tensor items, Tensor? behaviors, bool training)
    {
        using var scope = NewDisposeScope();
        var x = parameters.Embed(ModelTensors.ItemEmbedding, items);
        if (parameters.Has(ModelTensors.BehaviorEmbedding))
            x = cat([x, parameters.Embed(ModelTensors.BehaviorEmbedding, behaviors!)], 2);
        if (training && dropout > 0)
            x = F.dropout(x, dropout, training: true);
        parameters.Lstm.train(training);
        var (states, _, _) = parameters.Lstm.call(x);
        return states.MoveToOuterDisposeScope();
    }
}
