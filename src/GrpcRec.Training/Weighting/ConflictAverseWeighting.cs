namespace GrpcRec.Training.Weighting;

/// <summary>
/// CAGrad (Liu et al., NeurIPS 2021): the update d within c·‖g₀‖ of the mean gradient g₀ that is best for the task that it serves worst. By
/// the paper's dual: w on the simplex minimises g_w·g₀ + c·‖g₀‖·‖g_w‖ with g_w = Σ w·g, and d = g₀ + c·‖g₀‖·g_w/‖g_w‖. Scaled by K, so that with
/// c = 0 it is the sum of the gradients.
/// </summary>
internal sealed class ConflictAverseWeighting(IReadOnlyList<double> factors, double c = 0.4) : TaskWeighting(factors)
{
    private const int Iterations = 300;

    /// <summary>Of g_w, in units of the longest gradient: below it the tasks' gradients cancel, and weights that blow their difference up are noise.</summary>
    private const double LeastLength = 1e-3;

    public override bool NeedsGradients => true;

    protected override double[] Choose(int[] tasks, double[] losses, double[,]? gram)
    {
        var count = tasks.Length;
        // All products in units of the largest squared norm: the answer has no unit.
        var unit = 0.0;
        for (var i = 0; i < count; i++)
            unit = Math.Max(unit, gram![i, i]);
        if (unit <= 0)
            return [.. tasks.Select(_ => 1.0)];
        var g = new double[count, count];
        for (var i = 0; i < count; i++)
        {
            for (var j = 0; j < count; j++)
                g[i, j] = gram![i, j] / unit;
        }

        var mean = Apply(g, [.. Enumerable.Repeat(1.0 / count, count)]);
        var radius = c * Math.Sqrt(Math.Max(0, mean.Average()));
        var w = Enumerable.Repeat(1.0 / count, count).ToArray();
        // Mirror descent on the simplex: multiplicative updates keep w positive and need no projection. Its last w may lie beside a kink where
        // g_w nearly vanishes and its direction means nothing; the mean of the answers to each w is what converges (Nemirovski 2004).
        var direction = new double[count];
        var rates = 0.0;
        for (var step = 0; step < Iterations; step++)
        {
            var product = Apply(g, w);
            var norm = Math.Max(LeastLength, Math.Sqrt(Math.Max(0, Dot(w, product))));
            var rate = 2 / Math.Sqrt(step + 1.0);
            for (var i = 0; i < count; i++)
                direction[i] += rate * w[i] / norm;
            rates += rate;
            var slopes = product.Select((p, i) => mean[i] + (radius * p / norm)).ToArray();
            var least = slopes.Min();
            for (var i = 0; i < count; i++)
                w[i] *= Math.Exp(-rate * (slopes[i] - least));
            var sum = w.Sum();
            for (var i = 0; i < count; i++)
                w[i] /= sum;
        }

        double[] update = [.. direction.Select(share => (1.0 / count) + (radius * share / rates))];
        // Near the best is not at it; the sum is always within the radius.
        return Apply(g, update).Min() < mean.Min() ? [.. tasks.Select(_ => 1.0)] : [.. update.Select(weight => count * weight)];
    }

    private static double[] Apply(double[,] matrix, double[] vector)
    {
        var result = new double[vector.Length];
        for (var i = 0; i < result.Length; i++)
        {
            for (var j = 0; j < result.Length; j++)
                result[i] += matrix[i, j] * vector[j];
        }

        return result;
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
}
