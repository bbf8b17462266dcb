namespace GrpcRec.Training.Weighting;

/// <summary>
/// FAMO (Liu et al., NeurIPS 2023): all losses are to fall at the same relative rate, at the price of one backward pass. Weights are
/// softmax(ξ)/L, normalised to sum to K; after the step ξ moves by how much each log-loss really fell.
/// </summary>
internal sealed class FastAdaptiveWeighting(IReadOnlyList<double> factors, double learningRate = 0.025, double decay = 0.01) : TaskWeighting(factors)
{
    private const double LeastLoss = 1e-8;

    private double[] _logits = new double[factors.Count];
    private double[] _before = [.. factors.Select(_ => double.NaN)];

    public override bool NeedsLossesAfterStep => true;

    public override double[] State
    {
        get => [.. _logits];
        set => _logits = value.Length == Tasks ? [.. value] : throw new ArgumentException($"{Tasks} logits are due", nameof(value));
    }

    public override void AfterStep(ReadOnlySpan<double> losses)
    {
        // ξ -= rate·(∇ Σ softmax(ξ)·fall + decay·ξ), over the tasks of this batch.
        var present = new List<int>();
        var falls = new double[Tasks];
        for (var k = 0; k < Tasks; k++)
        {
            if (!double.IsFinite(_before[k]) || !double.IsFinite(losses[k]))
                continue;
            present.Add(k);
            falls[k] = Math.Log(_before[k]) - Math.Log(Math.Max(LeastLoss, losses[k] * Factors[k]));
        }

        var shares = Softmax(present);
        var mean = present.Select((k, i) => shares[i] * falls[k]).Sum();
        for (var i = 0; i < present.Count; i++)
        {
            var k = present[i];
            _logits[k] -= learningRate * ((shares[i] * (falls[k] - mean)) + (decay * _logits[k]));
        }

        Array.Fill(_before, double.NaN);
    }

    protected override double[] Choose(int[] tasks, double[] losses, double[,]? gram)
    {
        var shares = Softmax(tasks);
        var weights = new double[tasks.Length];
        for (var i = 0; i < tasks.Length; i++)
        {
            _before[tasks[i]] = Math.Max(LeastLoss, losses[i]);
            weights[i] = shares[i] / _before[tasks[i]];
        }

        var sum = weights.Sum();
        return [.. weights.Select(weight => weight * tasks.Length / sum)];
    }

    private double[] Softmax(IReadOnlyList<int> tasks)
    {
        if (tasks.Count == 0)
            return [];
        var largest = tasks.Max(k => _logits[k]);
        var powers = tasks.Select(k => Math.Exp(_logits[k] - largest)).ToArray();
        var sum = powers.Sum();
        return [.. powers.Select(power => power / sum)];
    }
}
