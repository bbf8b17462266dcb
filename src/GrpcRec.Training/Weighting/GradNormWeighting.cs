namespace GrpcRec.Training.Weighting;

/// <summary>
/// GradNorm (Chen et al., ICML 2018): moves the weights so that each task's weighted gradient norm nears the mean one times
/// (its relative training rate)^α, by the sign of the difference; weights sum to K. The relative rate is L/L₀ over its mean.
/// </summary>
internal sealed class GradNormWeighting(IReadOnlyList<double> factors, double alpha = 1.5, double learningRate = 0.025) : TaskWeighting(factors)
{
    private const double LeastWeight = 1e-3;

    private double[] _weights = [.. factors.Select(_ => 1.0)];
    private double[] _first = [.. factors.Select(_ => double.NaN)];

    public override bool NeedsGradients => true;

    public override double[] State
    {
        get => [.. _weights, .. _first];
        set
        {
            if (value.Length != 2 * Tasks)
                throw new ArgumentException($"{2 * Tasks} numbers are due", nameof(value));
            (_weights, _first) = (value[..Tasks], value[Tasks..]);
        }
    }

    protected override double[] Choose(int[] tasks, double[] losses, double[,]? gram)
    {
        var count = tasks.Length;
        var norms = new double[count];
        var rates = new double[count];
        for (var i = 0; i < count; i++)
        {
            ref var first = ref _first[tasks[i]];
            if (!(first > 0))
                first = losses[i];
            norms[i] = Math.Sqrt(gram![i, i]);
            rates[i] = first > 0 ? losses[i] / first : 1;
        }

        var mean = norms.Select((norm, i) => _weights[tasks[i]] * norm).Average();
        var meanRate = rates.Average();
        for (var i = 0; i < count; i++)
        {
            var goal = mean * Math.Pow(meanRate > 0 ? rates[i] / meanRate : 1, alpha);
            // Gradient of |w·n - goal| by w, as a share of the mean norm so that the step has no unit.
            var slope = Math.Sign((_weights[tasks[i]] * norms[i]) - goal) * (mean > 0 ? norms[i] / mean : 0);
            _weights[tasks[i]] = Math.Max(LeastWeight, _weights[tasks[i]] - (learningRate * Math.Clamp(slope, -10, 10)));
        }

        var sum = tasks.Sum(k => _weights[k]);
        foreach (var k in tasks)
            _weights[k] *= count / sum;
        return [.. tasks.Select(k => _weights[k])];
    }
}
