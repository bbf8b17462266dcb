namespace GrpcRec.Engine.Models;

/// <summary>One named block of weights.</summary>
/// <param name="Shape">Sizes of the axes, each ≥ 1.</param>
/// <param name="Data">[product of <paramref name="Shape"/>] float32, row-major. Never written once it is in an artefact.</param>
public sealed record WeightTensor(int[] Shape, float[] Data)
{
    /// <summary>"[3500, 64]", for messages.</summary>
    public static string Describe(IEnumerable<int> shape) => $"[{string.Join(", ", shape)}]";
}
