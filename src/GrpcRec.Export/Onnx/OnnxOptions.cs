namespace GrpcRec.Export.Onnx;

/// <summary>What the graph gives beside the hidden state, and in which precision. A runtime computes every output that a graph has.</summary>
public sealed record OnnxOptions
{
    public static readonly OnnxOptions Default = new();

    /// <summary>Logits of every task but next_item.</summary>
    public bool TaskLogits { get; init; } = true;

    /// <summary>Logits of next_item for the whole catalogue.</summary>
    public bool CatalogLogits { get; init; } = true;

    /// <summary>False: the graph has no input <c>lengths</c>; all sequences of a batch are as long as it. Recurrent encoders only.</summary>
    public bool ReadsLengths { get; init; } = true;

    /// <summary>Past this a model is refused: a serialised protobuf message holds less than 2 GiB, and the graph and manifest need some of it.</summary>
    public long MaxWeightBytes { get; init; } = int.MaxValue - (64L << 20);

    /// <summary>
    /// lstm only: recurrent layers as ONNX Runtime's own <c>com.microsoft.DynamicQuantizeLSTM</c>, weights to 8 bits with a scale per
    /// output channel. For comparison with that runtime's fastest form.
    /// </summary>
    public bool Int8 { get; init; }
}
