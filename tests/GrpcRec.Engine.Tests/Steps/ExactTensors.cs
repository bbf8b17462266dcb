using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Tests.Steps;

internal sealed class ExactTensors(ModelArtifact model)
{
    // In double precision once, since every event asks for the same ones.
    private readonly Dictionary<string, double[]> _tensors = model.TensorNames.ToDictionary(
        name => name, name => Array.ConvertAll(model.Weights(name).ToArray(), value => (double)value));

    /// <summary>W·x + b.</summary>
    public double[] Affine(string weight, string? bias, double[] x)
    {
        var w = _tensors[weight];
        return [.. Enumerable.Range(0, w.Length / x.Length).Select(n =>
        {
            var sum = bias is null ? 0 : _tensors[bias][n];
            for (var k = 0; k < x.Length; k++)
                sum += x[k] * w[(n * x.Length) + k];
            return sum;
        })];
    }

    public double[] Row(string table, int row, int width) => _tensors[table][(row * width)..((row + 1) * width)];
}
