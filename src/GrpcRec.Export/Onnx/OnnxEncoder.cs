using GrpcRec.Engine.Models;

namespace GrpcRec.Export.Onnx;

/// <summary>
/// Encoders as nodes. All read sequences as <see cref="ItemIds"/> [B, T] padded at their end to a common length, with
/// <see cref="Lengths"/> [B]; what stands behind a sequence's end does not matter as long as it is a valid id.
/// </summary>
internal abstract class OnnxEncoder(OnnxGraph graph)
{
    public const string ItemIds = "item_ids";
    public const string BehaviorIds = "behavior_ids";
    public const string Lengths = "lengths";
    public const string Hidden = "hidden";

    protected OnnxGraph Graph => graph;

    protected EncoderManifest Encoder => graph.Manifest.Encoder;

    protected bool ReadsBehaviors => Encoder.BehaviorEmbeddingSize > 0;

    /// <summary>I, width of an event.</summary>
    protected int EventWidth => Encoder.EmbeddingSize + Encoder.BehaviorEmbeddingSize;

    public static OnnxEncoder Create(OnnxGraph graph, OnnxOptions options) => graph.Manifest.Encoder.Kind switch
    {
        EncoderKind.Bag => new OnnxBag(graph),
        EncoderKind.Cnn => new OnnxConvolution(graph),
        _ => new OnnxRecurrent(graph, options),
    };

    /// <summary>Adds the nodes that end in <see cref="Hidden"/> [B, H].</summary>
    public abstract void Build();

    /// <summary>Embeddings of events: [.., I] of ids of any shape.</summary>
    /// <param name="behaviors">Not read by a model without behaviours.</param>
    protected string Events(string items, string behaviors)
    {
        var embedded = Graph.Rows(ModelTensors.ItemEmbedding, items);
        return ReadsBehaviors ? Graph.Concat(-1, [embedded, Graph.Rows(ModelTensors.BehaviorEmbedding, behaviors)]) : embedded;
    }

    /// <summary>The lengths as int64 [B, 1].</summary>
    protected string LengthColumn() => Graph.Unsqueeze(Graph.ToInt64(Lengths), 1);
}
