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
    public abstract void Step(Span<double> state, int item, int behavior);

    /// <returns>[H] the encoder's output.</returns>
    public abstract double[] Hidden(ReadOnlySpan<double> state);

    /// <summary>[I] an event: item embedding ‖ behaviour embedding.</summary>
    protected static double[] Event(ScalarTensors tensors, int item, int behavior)
    {
        var encoder = tensors.Manifest.Encoder;
        var x = tensors.Row(ModelTensors.ItemEmbedding, item, encoder.EmbeddingSize);
        return encoder.BehaviorEmbeddingSize == 0 ? x : [.. x, .. tensors.Row(ModelTensors.BehaviorEmbedding, behavior, encoder.BehaviorEmbeddingSize)];
    }
}
