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

    /// <summary>Input with the indices [B, T] of an event feature that is not the item's own.</summary>
    public static string EventInput(string feature) => "event." + feature;

    protected OnnxGraph Graph => graph;

    protected EncoderManifest Encoder => graph.Manifest.Encoder;

    protected bool ReadsBehaviors => Encoder.BehaviorEmbeddingSize > 0;

    /// <summary>I, width of an event.</summary>
    protected int EventWidth => ModelTensors.EventWidth(graph.Manifest);

    public static OnnxEncoder Create(OnnxGraph graph, OnnxOptions options) => graph.Manifest.Encoder.Kind switch
    {
        EncoderKind.Bag => new OnnxBag(graph),
        EncoderKind.Cnn => new OnnxConvolution(graph),
        _ => new OnnxRecurrent(graph, options),
    };

    /// <summary>Adds the nodes that end in <see cref="Hidden"/> [B, H].</summary>
    public abstract void Build();

    /// <summary>The features that are inputs of their own: an item's category goes with its id.</summary>
    public static IEnumerable<EventFeatureManifest> InputFeatures(ModelManifest manifest) =>
        manifest.EventFeatures.Where(feature => feature.Source != FeatureSource.ItemCategory);

    /// <summary>Embeddings of events: [.., I] of ids of any shape.</summary>
    /// <param name="place">From an input's name to its values in the places wanted, all of one shape.</param>
    protected string Events(Func<string, string> place)
    {
        var items = place(ItemIds);
        List<string> parts = [Graph.Rows(ModelTensors.ItemEmbedding, items)];
        foreach (var feature in Graph.Manifest.EventFeatures.Where(feature => feature.Source == FeatureSource.ItemCategory))
            parts.Add(Graph.Rows(ModelTensors.EventFeature(feature.Name), Graph.Categories(items)));
        if (ReadsBehaviors)
            parts.Add(Graph.Rows(ModelTensors.BehaviorEmbedding, place(BehaviorIds)));
        foreach (var feature in InputFeatures(Graph.Manifest))
            parts.Add(Graph.Rows(ModelTensors.EventFeature(feature.Name), place(EventInput(feature.Name))));
        return Graph.Concat(-1, parts.ToArray());
    }

    /// <summary>The lengths as int64 [B, 1].</summary>
    public static string LengthColumn(OnnxGraph graph) => graph.Unsqueeze(graph.ToInt64(Lengths), 1);

    /// <summary>T as a scalar.</summary>
    public static string Longest(OnnxGraph graph) => graph.Node("Gather", [graph.Node("Shape", [ItemIds]), graph.Integer(1)], null, OnnxGraph.Attribute("axis", 0));
}
