namespace GrpcRec.Training.Weighting;

/// <summary>The plan's factors and nothing else: the baseline that every other method is shown beside.</summary>
internal sealed class FixedWeighting(IReadOnlyList<double> factors) : TaskWeighting(factors)
{
    protected override double[] Choose(int[] tasks, double[] losses, double[,]? gram) => [.. tasks.Select(_ => 1.0)];
}
