using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Scalar;

/// <summary>Products with a model's tensors by name, in plain loops and double precision.</summary>
internal sealed class ScalarTensors(ModelArtifact model)
{
    public ModelManifest Manifest => model.Manifest;

    public bool Has(string tensor) => model.HasTensor(tensor);

    /// <summary>[shape of the tensor], row-major.</summary>
    public ReadOnlySpan<float> Weights(string tensor) => model.Weights(tensor);

    /// <param name="row">Of a table [N, <paramref name="width"/>].</param>
    public double[] Row(string table, int row, int width)
    {
        var values = new double[width];
        var source = model.Weights(table).Slice(row * width, width);
        for (var k = 0; k < width; k++)
            values[k] = source[k];
        return values;
    }

    /// <summary>-1: none.</summary>
    public int CategoryOf(int item) => model.Items.Items[item].Category;

    /// <summary>[R] the embeddings of a request's features side by side.</summary>
    /// <param name="request">[features] indices; empty: nothing is known.</param>
    public double[] Request(ReadOnlySpan<int> request)
    {
        var columns = new List<double>();
        for (var n = 0; n < Manifest.RequestFeatures.Count; n++)
        {
            var feature = Manifest.RequestFeatures[n];
            columns.AddRange(Row(ModelTensors.RequestFeature(feature.Name), request.IsEmpty ? 0 : request[n], feature.EmbeddingSize));
        }

        return [.. columns];
    }

    /// <summary>W·x + b.</summary>
    /// <param name="weight">Name of a tensor [N, K]; K is the length of <paramref name="x"/>.</param>
    /// <param name="bias">Name of a tensor [N]; null for none.</param>
    /// <returns>[N].</returns>
    public double[] Affine(ReadOnlySpan<double> x, string weight, string? bias)
    {
        var w = model.Weights(weight);
        var y = new double[w.Length / x.Length];
        for (var row = 0; row < y.Length; row++)
            y[row] = (bias is null ? 0 : model.Weights(bias)[row]) + Dot(w.Slice(row * x.Length, x.Length), x);
        return y;
    }

    /// <summary>relu(W·x + b).</summary>
    public double[] Relu(ReadOnlySpan<double> x, string weight, string? bias)
    {
        var y = Affine(x, weight, bias);
        for (var row = 0; row < y.Length; row++)
            y[row] = Math.Max(0, y[row]);
        return y;
    }

    public static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (var k = 0; k < a.Length; k++)
            sum += a[k] * b[k];
        return sum;
    }
}
