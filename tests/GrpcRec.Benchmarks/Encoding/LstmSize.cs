using GrpcRec.Engine.Models;

namespace GrpcRec.Benchmarks.Encoding;

/// <summary>A size that rows are named after.</summary>
/// <param name="RowPrefix">"lstm" or "lstm_large".</param>
/// <param name="Items">V.</param>
public sealed record LstmSize(string RowPrefix, int Items, int Embedding, int Hidden, int Layers, int Length)
{
    public static readonly LstmSize Small = new("lstm", 10_000, 64, 128, 1, 50);
    public static readonly LstmSize Large = new("lstm_large", 10_000, 128, 256, 2, 50);

    public ModelArtifact Create() => SyntheticModel.Lstm(Items, Embedding, Hidden, Layers);

    /// <summary>
    /// Floating-point operations of the products that ours really does for one sequence. The first layer's input product is read from a
    /// table, so it is not counted; nor are the activations.
    /// </summary>
    public double ExecutedFlops => Length * 2.0 * 4 * Hidden * Hidden * ((2 * Layers) - 1);

    /// <summary>Memory of all layers' recurrent weights in float32, read once a step.</summary>
    public long RecurrentBytes => 4L * sizeof(float) * Hidden * Hidden * Layers;

    /// <summary>Operations of a runtime that multiplies the inputs too.</summary>
    public double NominalFlops => ExecutedFlops + (Length * 2.0 * 4 * Hidden * Embedding);

    public override string ToString() => $"V={Items} E={Embedding} H={Hidden} L={Layers} T={Length}";
}
