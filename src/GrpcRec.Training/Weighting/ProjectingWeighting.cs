namespace GrpcRec.Training.Weighting;

/// <summary>
/// PCGrad (Yu et al., NeurIPS 2020): each task's gradient loses its component against every other task's that it conflicts with, the others
/// taken in random order; the results are added. All in coefficients: row i of a matrix says what g_i has become in terms of the g's.
/// </summary>
internal sealed class ProjectingWeighting(IReadOnlyList<double> factors, long seed) : TaskWeighting(factors)
{
    private long _steps;

    public override bool NeedsGradients => true;

    /// <summary>Steps done: the order of a step is drawn from the seed and its number.</summary>
    public override double[] State
    {
        get => [_steps];
        set => _steps = value.Length == 1 ? (long)value[0] : throw new ArgumentException("one number is due", nameof(value));
    }

    protected override double[] Choose(int[] tasks, double[] losses, double[,]? gram)
    {
        var count = tasks.Length;
        var random = new Random(unchecked((int)((seed * 1_000_003) + ++_steps)));
        var sum = new double[count];
        for (var i = 0; i < count; i++)
        {
            var mine = new double[count];
            mine[i] = 1;
            var others = Enumerable.Range(0, count).Where(j => j != i).ToArray();
            random.Shuffle(others);
            foreach (var j in others)
            {
                double product = 0;
                for (var k = 0; k < count; k++)
                    product += mine[k] * gram![k, j];
                if (product < 0 && gram![j, j] > 0)
                    mine[j] -= product / gram[j, j];
            }

            for (var k = 0; k < count; k++)
                sum[k] += mine[k];
        }

        return sum;
    }
}
