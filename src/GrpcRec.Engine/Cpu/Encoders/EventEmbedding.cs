using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>
/// The columns of an event as two tables, so that encoders know of no features: one by item, its embedding and what its category adds; one by
/// kind, the behaviour's embedding and those of the other features (<see cref="EventKinds"/>). Without features they are the artefact's own.
/// </summary>
internal sealed class EventEmbedding
{
    /// <exception cref="EngineException">A table is larger than an array may be.</exception>
    public EventEmbedding(ModelArtifact artifact)
    {
        var manifest = artifact.Manifest;
        var encoder = manifest.Encoder;
        var ofItem = manifest.EventFeatures.Where(feature => feature.Source == FeatureSource.ItemCategory).ToArray();
        ItemWidth = encoder.EmbeddingSize + ofItem.Sum(feature => feature.EmbeddingSize);
        KindWidth = ModelTensors.EventWidth(manifest) - ItemWidth;
        Items = artifact.WeightArray(ModelTensors.ItemEmbedding);
        Kinds = encoder.BehaviorEmbeddingSize == 0 ? [] : artifact.WeightArray(ModelTensors.BehaviorEmbedding);
        if (ofItem.Length > 0)
            Items = FoldItems(artifact, ofItem);
        var kinds = new EventKinds(manifest);
        KindCount = kinds.Count;
        if (kinds.Features.Count > 0)
            Kinds = FoldKinds(artifact, kinds);
    }

    /// <summary>I.</summary>
    public int Width => ItemWidth + KindWidth;

    public int ItemWidth { get; }

    /// <summary>0: the model reads the items alone.</summary>
    public int KindWidth { get; }

    /// <summary>K.</summary>
    public int KindCount { get; }

    /// <summary>[V, ItemWidth].</summary>
    public float[] Items { get; }

    /// <summary>[K, KindWidth], empty when that is 0.</summary>
    public float[] Kinds { get; }

    /// <summary>[ItemWidth].</summary>
    public ReadOnlySpan<float> Item(int item) => Items.AsSpan(item * ItemWidth, ItemWidth);

    /// <summary>[KindWidth].</summary>
    public ReadOnlySpan<float> Kind(int kind) => Kinds.AsSpan(kind * KindWidth, KindWidth);

    /// <param name="row">[I] written.</param>
    public void CopyTo(int item, int kind, Span<float> row)
    {
        Item(item).CopyTo(row);
        Kind(kind).CopyTo(row[ItemWidth..]);
    }

    private float[] FoldItems(ModelArtifact artifact, EventFeatureManifest[] features)
    {
        var e = artifact.Manifest.Encoder.EmbeddingSize;
        var table = Table(artifact.Manifest.CatalogSize, ItemWidth, "items");
        for (var item = 0; item < artifact.Manifest.CatalogSize; item++)
        {
            var row = table.AsSpan(item * ItemWidth, ItemWidth);
            Items.AsSpan(item * e, e).CopyTo(row);
            row = row[e..];
            foreach (var feature in features)
                row = Append(artifact, feature, artifact.Items.Items[item].Category + 1, row);
        }

        return table;
    }

    private float[] FoldKinds(ModelArtifact artifact, EventKinds kinds)
    {
        var eb = artifact.Manifest.Encoder.BehaviorEmbeddingSize;
        var table = Table(kinds.Count, KindWidth, "kinds of event");
        var indices = new int[kinds.Features.Count];
        for (var kind = 0; kind < kinds.Count; kind++)
        {
            var behavior = kinds.Unfold(kind, indices);
            var row = table.AsSpan(kind * KindWidth, KindWidth);
            if (eb > 0)
                artifact.Weights(ModelTensors.BehaviorEmbedding).Slice(behavior * eb, eb).CopyTo(row);
            row = row[eb..];
            for (var feature = 0; feature < indices.Length; feature++)
                row = Append(artifact, kinds.Features[feature], indices[feature], row);
        }

        return table;
    }

    /// <returns>What is left of the row.</returns>
    private static Span<float> Append(ModelArtifact artifact, EventFeatureManifest feature, int index, Span<float> row)
    {
        artifact.Weights(ModelTensors.EventFeature(feature.Name)).Slice(index * feature.EmbeddingSize, feature.EmbeddingSize).CopyTo(row);
        return row[feature.EmbeddingSize..];
    }

    private static float[] Table(int rows, int width, string what)
    {
        if ((long)rows * width > Array.MaxLength)
            throw new EngineException($"event_features: a table of {rows} {what} with {width} columns is more than the CPU engine holds; take smaller embeddings");
        return new float[rows * width];
    }
}
