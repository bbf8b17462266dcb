namespace GrpcRec.Training.Weighting;

/// <summary>
/// Dynamic weight average (Liu, Johns &amp; Davison, CVPR 2019): w = K·softmax(r/T) with r the ratio of a task's mean loss in the last epoch to
/// that in the one before: who falls slowest counts most. Equal weights in the first two epochs.
/// </summary>
internal sealed class DynamicAverageWeighting(IReadOnlyList<double> factors, double temperature = 2) : TaskWeighting(factors)
{
    private double[] _last = NotKnown(factors.Count), _before = NotKnown(factors.Count);

    public override double[] State
    {
        get => [.. _last, .. _before];
        set
        {
            if (value.Length != 2 * Tasks)
                throw new ArgumentException($"{2 * Tasks} losses are due", nameof(value));
            (_last, _before) = (value[..Tasks], value[Tasks..]);
        }
    }

    public override void AfterEpoch(ReadOnlySpan<double> losses) => (_before, _last) = (_last, losses.ToArray());

    protected override double[] Choose(int[] tasks, double[] losses, double[,]? gram)
    {
        var ratios = tasks.Select(k => _before[k] > 0 && double.IsFinite(_last[k]) ? _last[k] / _before[k] : 1).ToArray();
        var largest = ratios.Max();
        var powers = ratios.Select(ratio => Math.Exp((ratio - largest) / temperature)).ToArray();
        var sum = powers.Sum();
        return [.. powers.Select(power => tasks.Length * power / sum)];
    }

    private static double[] NotKnown(int tasks) => [.. Enumerable.Repeat(double.NaN, tasks)];
}
