namespace GrpcRec.Training.Weighting;

/// <summary>
/// Cosines between the tasks' gradients on the parameters that they share, a mean over some steps: near 1 the tasks pull one way, near 0
/// they do not meet, below 0 they pull apart.
/// </summary>
internal sealed class GradientCosines(int tasks)
{
    private readonly double[,] _sums = new double[tasks, tasks];
    private readonly int[,] _counts = new int[tasks, tasks];

    /// <summary>[K][K], NaN where two tasks never had labels in one batch; null when nothing was added.</summary>
    public double[][]? Mean
    {
        get
        {
            if (_counts.Cast<int>().All(count => count == 0))
                return null;
            return [.. Enumerable.Range(0, tasks).Select(i => Enumerable.Range(0, tasks)
                .Select(j => _counts[i, j] > 0 ? _sums[i, j] / _counts[i, j] : double.NaN).ToArray())];
        }
    }

    /// <param name="products">[K, K] inner products; NaN: not known.</param>
    public void Add(double[,] products)
    {
        for (var i = 0; i < tasks; i++)
        {
            for (var j = 0; j < tasks; j++)
            {
                var lengths = Math.Sqrt(products[i, i] * products[j, j]);
                if (!(lengths > 0))
                    continue;
                _sums[i, j] += Math.Clamp(products[i, j] / lengths, -1, 1);
                _counts[i, j]++;
            }
        }
    }
}
