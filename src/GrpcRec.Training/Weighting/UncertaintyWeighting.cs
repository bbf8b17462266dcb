namespace GrpcRec.Training.Weighting;

/// <summary>
/// Homoscedastic uncertainty (Kendall, Gal &amp; Cipolla, CVPR 2018): minimises Σ e^-s·L + s/2 over a log-variance s for each task as well,
/// by gradient descent beside the model's own. At rest e^-s = 1/(2L): a task counts as much as its loss is small. Each begins at its first
/// loss's rest, since short trainings end before it would come there.
/// </summary>
internal sealed class UncertaintyWeighting(IReadOnlyList<double> factors, double learningRate = 0.025) : TaskWeighting(factors)
{
    // e^±10: far past any useful weight, so that a loss of zero cannot run away.
    private const double MaxLogVariance = 10;

    // 0: no loss of the task yet. One that comes to exactly 0 later would start at its rest once more, which changes little.
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
            if (s == 0)
                s = Math.Clamp(Math.Log(2 * losses[i]), -MaxLogVariance, MaxLogVariance);
            weights[i] = Math.Exp(-s);
            s = Math.Clamp(s - (learningRate * (0.5 - (weights[i] * losses[i]))), -MaxLogVariance, MaxLogVariance);
        }

        return weights;
    }
}
