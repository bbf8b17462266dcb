using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>The columns of an event: its item's embedding, then its behaviour's.</summary>
internal sealed class EventEmbedding(ModelArtifact artifact)
{
    private readonly int _e = artifact.Manifest.Encoder.EmbeddingSize;
    private readonly int _eb = artifact.Manifest.Encoder.BehaviorEmbeddingSize;
    private readonly float[] _items = artifact.WeightArray(ModelTensors.ItemEmbedding);
    private readonly float[] _behaviors = artifact.Manifest.Encoder.BehaviorEmbeddingSize == 0 ? [] : artifact.WeightArray(ModelTensors.BehaviorEmbedding);

    /// <summary>I = E + Eb.</summary>
    public int Width => _e + _eb;

    public int ItemWidth => _e;

    /// <summary>[E].</summary>
    public ReadOnlySpan<float> Item(int item) => _items.AsSpan(item * _e, _e);

    /// <summary>[Eb], empty when the model reads no behaviours.</summary>
    public ReadOnlySpan<float> Behavior(int behavior) => _behaviors.AsSpan(behavior * _eb, _eb);

    /// <param name="row">[I] written.</param>
    public void CopyTo(int item, int behavior, Span<float> row)
    {
        Item(item).CopyTo(row);
        Behavior(behavior).CopyTo(row[_e..]);
    }
}
