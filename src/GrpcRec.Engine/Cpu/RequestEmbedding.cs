using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu;

/// <summary>The embeddings of a request's features: what the trunk reads after the encoder's output.</summary>
internal sealed class RequestEmbedding(ModelArtifact artifact)
{
    private readonly (float[] Table, int Width)[] _features =
        [.. artifact.Manifest.RequestFeatures.Select(feature => (artifact.WeightArray(ModelTensors.RequestFeature(feature.Name)), feature.EmbeddingSize))];

    /// <param name="request">[features] indices, checked; empty: nothing is known.</param>
    /// <param name="columns">[R] written.</param>
    public void CopyTo(ReadOnlySpan<int> request, Span<float> columns)
    {
        for (var n = 0; n < _features.Length; n++)
        {
            var (table, width) = _features[n];
            table.AsSpan((request.IsEmpty ? 0 : request[n]) * width, width).CopyTo(columns);
            columns = columns[width..];
        }
    }
}
