namespace GrpcRec.Training.Weighting;

/// <summary>Makes the weighting that a plan names.</summary>
internal static class TaskWeightings
{
    /// <param name="factors">[K] the weights of the plan's tasks.</param>
    public static TaskWeighting Create(WeightingKind kind, IReadOnlyList<double> factors, long seed) => kind switch
    {
        WeightingKind.Fixed => new FixedWeighting(factors),
        WeightingKind.Equal => new FixedWeighting([.. factors.Select(_ => 1.0)]),
        WeightingKind.Uncertainty => new UncertaintyWeighting(factors),
        WeightingKind.Dwa => new DynamicAverageWeighting(factors),
        WeightingKind.GradNorm => new GradNormWeighting(factors),
        WeightingKind.PcGrad => new ProjectingWeighting(factors, seed),
        WeightingKind.CaGrad => new ConflictAverseWeighting(factors),
        WeightingKind.Famo => new FastAdaptiveWeighting(factors),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "not a weighting"),
    };
}
