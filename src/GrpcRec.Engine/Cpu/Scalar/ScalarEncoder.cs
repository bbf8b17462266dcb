using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Scalar;

/// <summary>One kind of encoder as its equations. State is held in double precision; zero is the state of no event.</summary>
internal abstract class ScalarEncoder
{
    /// <summary>Numbers of a slot's state.</summary>
    public abstract int StateLength { get; }

    public static ScalarEncoder Create(ScalarTensors tensors) => tensors.Manifest.Encoder.Kind switch
    {
        EncoderKind.Lstm or EncoderKind.Gru or EncoderKind.Rnn or EncoderKind.MinGru => new ScalarRecurrent(tensors),
        EncoderKind.Bag => new ScalarBag(tensors),
        EncoderKind.Cnn => new ScalarConvolution(tensors),
        var kind => throw new ArgumentOutOfRangeException(nameof(tensors), $"{kind} is not a kind of encoder"),
    };

    /// <summary>The state after one more event.</summary>
    /// <param name="state">[StateLength] overwritten.</param>
    /// <param name="kind">Of the event: <see cref="EventKinds"/>.</param>
    public abstract void Step(Span<double> state, int item, int kind);

    /// <returns>[H] the encoder's output.</returns>
    public abstract double[] Hidden(ReadOnlySpan<double> state);

    /// <summary>
    /// [I] an event: item ‖ features of its category ‖ behaviour ‖ the other features, each embedding gathered by its own index: what an
    /// engine that folds them into tables must come to.
    /// </summary>
    /// <param name="kind">The behaviour, plus B × the first feature's index, plus B·n₀ × the second's, and so on.</param>
    protected static double[] Event(ScalarTensors tensors, int item, int kind)
    {
        var manifest = tensors.Manifest;
        var encoder = manifest.Encoder;
        var x = new List<double>(tensors.Row(ModelTensors.ItemEmbedding, item, encoder.EmbeddingSize));
        foreach (var feature in manifest.EventFeatures)
        {
            if (feature.Source == FeatureSource.ItemCategory)
                x.AddRange(tensors.Row(ModelTensors.EventFeature(feature.Name), tensors.CategoryOf(item) + 1, feature.EmbeddingSize));
        }

        if (encoder.BehaviorEmbeddingSize > 0)
            x.AddRange(tensors.Row(ModelTensors.BehaviorEmbedding, kind % manifest.Behaviors.Count, encoder.BehaviorEmbeddingSize));
        var rest = kind / manifest.Behaviors.Count;
        foreach (var feature in manifest.EventFeatures)
        {
            if (feature.Source == FeatureSource.ItemCategory)
                continue;
            var count = feature.CountOf(manifest.Categories.Count);
            x.AddRange(tensors.Row(ModelTensors.EventFeature(feature.Name), rest % count, feature.EmbeddingSize));
            rest /= count;
        }

        return [.. x];
    }
}
