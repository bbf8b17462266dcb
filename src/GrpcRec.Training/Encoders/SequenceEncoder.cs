using GrpcRec.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.Encoders;

/// <summary>
/// Events to hidden states, from a zero state: one kind of encoder as it is trained. Equations: <see cref="ModelTensors"/>. Dropout, in
/// training alone, on the embeddings and between layers.
/// </summary>
internal abstract class SequenceEncoder(ModelParameters parameters, double dropout)
{
    protected ModelParameters Parameters { get; } = parameters;

    protected EncoderManifest Encoder => Parameters.Manifest.Encoder;

    /// <summary>The encoder of the parameters' manifest.</summary>
    public static SequenceEncoder Create(ModelParameters parameters, double dropout) => parameters.Manifest.Encoder.Kind switch
    {
        EncoderKind.Lstm => new RecurrentEncoder<Kernels.LstmCell>(parameters, dropout),
        EncoderKind.Gru when parameters.Manifest.Encoder.ResetPlacement == ResetPlacement.BeforeProduct => new GruBeforeProductEncoder(parameters, dropout),
        EncoderKind.Gru => new RecurrentEncoder<Kernels.GruCell>(parameters, dropout),
        EncoderKind.Rnn => new RecurrentEncoder<Kernels.RnnCell>(parameters, dropout),
        EncoderKind.Bag => new BagEncoder(parameters, dropout),
        EncoderKind.MinGru => new MinGruEncoder(parameters, dropout),
        EncoderKind.Cnn => new ConvolutionEncoder(parameters, dropout),
        var kind => throw new NotSupportedException($"An encoder of kind {kind} cannot be trained."),
    };

    /// <param name="ids">[N] int64 by the embedding that they point into, one for each of <see cref="ModelTensors.EventColumns"/>.</param>
    /// <returns>[N, H] state after each event.</returns>
    public Tensor Forward(IReadOnlyDictionary<string, Tensor> ids, PackedSequences packing, bool training)
    {
        using var scope = NewDisposeScope();
        Tensor[] columns = [.. ModelTensors.EventColumns(Parameters.Manifest).Select(column => Parameters.Embed(column.Tensor, ids[column.Tensor]))];
        var x = columns.Length == 1 ? columns[0] : cat(columns, 1);
        return Encode(Drop(x, training), packing, training).MoveToOuterDisposeScope();
    }

    /// <param name="x">[N, I] events, with dropout.</param>
    /// <returns>[N, H]</returns>
    protected abstract Tensor Encode(Tensor x, PackedSequences packing, bool training);

    protected Tensor Drop(Tensor x, bool training) => training && dropout > 0 ? F.dropout(x, dropout, training: true) : x;
}
