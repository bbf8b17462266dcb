using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Trunks;

/// <summary>Rows of layers that read a sequence and a candidate, stacked for one <see cref="CandidateProduct"/>; rows that are not set are zero.</summary>
/// <param name="count">Rows.</param>
/// <param name="state">H + R.</param>
/// <param name="embedding">E.</param>
internal sealed class CandidateRows(int count, int state, int embedding)
{
    public int Count => count;

    public int Embedding => embedding;

    /// <summary>[Count, H + R].</summary>
    public float[] State { get; } = new float[checked(count * state)];

    /// <summary>[Count, E]; so is <see cref="Interaction"/>.</summary>
    public float[] Item { get; } = new float[checked(count * embedding)];

    public float[] Interaction { get; } = new float[checked(count * embedding)];

    /// <summary>[Count].</summary>
    public float[] Bias { get; } = new float[count];

    /// <summary>The shared bottom's, whose parts are tensors of their own.</summary>
    public static CandidateRows Bottom(ModelArtifact artifact)
    {
        var encoder = artifact.Manifest.Encoder;
        var rows = new CandidateRows(encoder.BottomSize, ModelTensors.StateWidth(artifact.Manifest), encoder.EmbeddingSize);
        artifact.Weights(ModelTensors.BottomHiddenWeight).CopyTo(rows.State);
        artifact.Weights(ModelTensors.BottomItemWeight).CopyTo(rows.Item);
        artifact.Weights(ModelTensors.BottomInteractionWeight).CopyTo(rows.Interaction);
        artifact.Weights(ModelTensors.BottomBias).CopyTo(rows.Bias);
        return rows;
    }

    /// <param name="at">First row.</param>
    /// <param name="weights">[rows, H + R + 2E] of s ‖ e ‖ x.</param>
    /// <param name="bias">[rows].</param>
    public void Set(int at, ReadOnlySpan<float> weights, ReadOnlySpan<float> bias, float scale = 1)
    {
        var width = state + (2 * embedding);
        for (var row = 0; row < bias.Length; row++)
        {
            var source = weights.Slice(row * width, width);
            Scaled(source[..state], scale, State.AsSpan((at + row) * state));
            Scaled(source.Slice(state, embedding), scale, Item.AsSpan((at + row) * embedding));
            Scaled(source[(state + embedding)..], scale, Interaction.AsSpan((at + row) * embedding));
            Bias[at + row] = bias[row] * scale;
        }
    }

    /// <summary>A copy of some of the rows.</summary>
    public CandidateRows Slice(int at, int length)
    {
        var rows = new CandidateRows(length, state, embedding);
        State.AsSpan(at * state, length * state).CopyTo(rows.State);
        Item.AsSpan(at * embedding, length * embedding).CopyTo(rows.Item);
        Interaction.AsSpan(at * embedding, length * embedding).CopyTo(rows.Interaction);
        Bias.AsSpan(at, length).CopyTo(rows.Bias);
        return rows;
    }

    private static void Scaled(ReadOnlySpan<float> source, float scale, Span<float> target)
    {
        for (var k = 0; k < source.Length; k++)
            target[k] = source[k] * scale;
    }
}
