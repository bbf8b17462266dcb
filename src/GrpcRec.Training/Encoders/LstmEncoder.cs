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
        // Always with gradients, also where none is wanted: without them libtorch 2.10 takes oneDNN's AVX-512 inference kernel, which is
        // wrong by up to 0.6 for many sizes (H = 1, 16, 37, 65; found by the parity tests, gone under ONEDNN_MAX_CPU_ISA=AVX2).
        var keepsGradient = is_grad_enabled();
        using (enable_grad())
            x = parameters.Lstm.call(x).Item1;
        return (keepsGradient ? x : x.detach()).MoveToOuterDisposeScope();
    }
}
