using GrpcRec.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.Encoders;

/// <summary>Events to hidden states: embeddings, dropout, LSTM from a zero state.</summary>
internal sealed class LstmEncoder(ModelParameters parameters, double dropout)
{
    /// <param name="items">[B, T] int64 dense item ids; padding on the right is any id, its states are never read.</param>
    /// <param name="behaviors">[B, T] int64; not read when the model reads no behaviours.</param>
    /// <returns>[B, T, H] state after each event.</returns>
    public Tensor Forward(Tensor items, Tensor? behaviors, bool training)
    {
        using var scope = NewDisposeScope();
        var x = F.embedding(items, parameters[ModelTensors.ItemEmbedding]);
        if (parameters.Has(ModelTensors.BehaviorEmbedding))
            x = cat([x, F.embedding(behaviors!, parameters[ModelTensors.BehaviorEmbedding])], 2);
        if (training && dropout > 0)
            x = F.dropout(x, dropout, training: true);
        parameters.Lstm.train(training);
        var (states, _, _) = parameters.Lstm.call(x);
        return states.MoveToOuterDisposeScope();
    }
}
