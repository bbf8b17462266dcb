namespace GrpcRec.Training.Weighting;

/// <summary>
/// Homoscedastic uncertainty (Kendall, Gal &amp; Cipolla, CVPR 2018): minimises Σ e^-s·L + s/2 over a log-variance s for each task as well,
/// by gradient descent beside the model's own. At rest e^-s = 1/(2L): a task counts as much as its loss is small.
/// </summary>
internal sealed class UncertaintyWeighting(IReadOnlyList<double> factors, double learningRate = 0.025) : TaskWeighting(factors)
{
    // e^±10: far past any useful weight, so that a loss of zero cannot run away.
    private const double MaxLogVariance = 10;

    private double[] _logVariances = new double[factors.Count];

    public override double[] State
    {
        get => [.. _logVariances];
        set => _logVariances = value.Length == Tasks ? [.. value] : throw new ArgumentException($"{Tasks} log-variances are due", nameof(value));
    }

    protected override double[] Choose(int[] tasks, double[] losses, double[,]? gram)
    {
        var weights = new double[tasks.Length];
        for (var i = 0; i < tasks.Length; i++)
        {
            ref var s = ref _logVariances[tasks[i]];
            weights[i] = Math.Exp(-s);
            s = Math.Clamp(s - (learningRate * (0.5 - (weights[i] * losses[i]))), -MaxLogVariance, MaxLogVariance);
        }

        return weights;
    }
}
