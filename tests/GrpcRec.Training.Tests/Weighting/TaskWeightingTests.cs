using CsCheck;
using GrpcRec.Training.Weighting;

namespace GrpcRec.Training.Tests.Weighting;

/// <summary>Each method on quadratics ½·scale·‖x - goal‖², where its behaviour is known.</summary>
public class TaskWeightingTests
{
    [Fact]
    public void Fixed_ThreeTasks_GivesThePlansFactors() =>
        Assert.Equal([2, 0, 0.5], Weights(new FixedWeighting([2, 1, 0.5]), [1, double.NaN, 3]));

    [Fact]
    public void Uncertainty_LossesOfDifferentScale_EndsAtHalfTheInverseLoss()
    {
        var weighting = new UncertaintyWeighting([1, 1]);
        // Begins at the rest of the first losses, a task that comes later at its own.
        Assert.Equal([0.25, 0], Weights(weighting, [2, double.NaN]));
        Assert.Equal(0.125, Weights(weighting, [2, 4])[1], 1e-12);
        double[] weights = [];
        for (var step = 0; step < 20_000; step++)
            weights = Weights(weighting, [0.1, 10]);
        Assert.Equal(5, weights[0], 1e-2);
        Assert.Equal(0.05, weights[1], 1e-2);
    }

    [Fact]
    public void Dwa_OneTaskStalls_CountsMore()
    {
        var weighting = new DynamicAverageWeighting([1, 1], temperature: 2);
        Assert.Equal([1, 1], Weights(weighting, [5, 5]));
        weighting.AfterEpoch([4, 4]);
        Assert.Equal([1, 1], Weights(weighting, [5, 5]));
        weighting.AfterEpoch([4, 2]);
        var weights = Weights(weighting, [5, 5]);
        // 2·softmax(1/2, ½/2)
        Assert.Equal(2 / (1 + Math.Exp(-0.25)), weights[0], 1e-12);
        Assert.Equal(2, weights.Sum(), 1e-12);
    }

    [Fact]
    public void GradNorm_ScaleImbalance_EqualisesWeightedGradientNorms()
    {
        var weighting = new GradNormWeighting([1, 1], alpha: 0, learningRate: 0.005);
        // Norms 1 and 9: equal weighted norms need weights 1.8 and 0.2.
        double[] weights = [];
        for (var step = 0; step < 3_000; step++)
            weights = Weights(weighting, [1, 1], new double[,] { { 1, 0 }, { 0, 81 } });
        Assert.Equal(1.8, weights[0], 0.1);
        Assert.Equal(0.2, weights[1], 0.1);
    }

    [Fact]
    public void PcGrad_TwoConflictingGradients_RemovesTheConflict()
    {
        // g₁ = (1, 0), g₂ = (-1, 1): g₁' = (½, ½), g₂' = (0, 1); sum (½, 1½) = 2·g₁ + 1½·g₂.
        var weights = Weights(new ProjectingWeighting([1, 1], seed: 1), [1, 1], new double[,] { { 1, -1 }, { -1, 2 } });
        Assert.Equal(2, weights[0], 1e-12);
        Assert.Equal(1.5, weights[1], 1e-12);
    }

    [Fact]
    public void PcGrad_NoConflict_IsTheSum() =>
        Assert.Equal([1, 1], Weights(new ProjectingWeighting([1, 1], seed: 1), [1, 1], new double[,] { { 1, 0.5 }, { 0.5, 2 } }));

    [Fact]
    public void CaGrad_RadiusZero_IsTheSum() =>
        Assert.Equal([1, 1], Weights(new ConflictAverseWeighting([1, 1], c: 0), [1, 1], new double[,] { { 1, -3 }, { -3, 100 } }));

    [Fact]
    public void CaGrad_RandomConflicts_ServesTheWorstTaskNearlyAsWellAsCanBe() =>
        Gen.Double[-1, 1].Array[12].Sample(NearlyTheBestForTheWorst);

    [Fact]
    public void CaGrad_TwoGradientsCancel_ServesTheWorstTaskNearlyAsWellAsCanBe() =>
        NearlyTheBestForTheWorst([0.20830183664685498, 0, 1, -4.0 / 49, 0, 0, 0, -33.0 / 37, 0, 0, 0, 61.0 / 70]);

    /// <param name="numbers">Three gradients of four.</param>
    private static void NearlyTheBestForTheWorst(double[] numbers)
    {
        const double C = 0.4;
        var g = numbers.Chunk(4).ToArray();
        var longest = g.Max(mine => Dot(mine, mine));
        if (longest < 0.01)
            return;
        var weights = Weights(new ConflictAverseWeighting([1, 1, 1], C), [1, 1, 1], Gram(g));
        var update = Sum(weights, g);
        var mean = Sum([1.0 / 3, 1.0 / 3, 1.0 / 3], g);
        var radius = C * Math.Sqrt(Dot(mean, mean));
        var worst = g.Min(mine => Dot(mine, update)) / 3;
        Assert.True(worst >= g.Min(mine => Dot(mine, mean)) - 1e-9, $"{worst} is worse than the sum's");

        double[] turn = [.. update.Zip(mean, (all, own) => (all / 3) - own)];
        Assert.True(Math.Sqrt(Dot(turn, turn)) <= radius + 1e-9, "It leaves the radius.");

        // Weak duality: no update within the radius serves the worst task better than any mixture's bound.
        var bound = double.PositiveInfinity;
        for (var i = 0; i <= 50; i++)
        {
            for (var j = 0; i + j <= 50; j++)
            {
                var mixed = Sum([i / 50.0, j / 50.0, (50 - i - j) / 50.0], g);
                bound = Math.Min(bound, Dot(mixed, mean) + (radius * Math.Sqrt(Dot(mixed, mixed))));
            }
        }

        Assert.True(worst >= bound - (0.03 * longest), $"{worst} of {bound} that may be reached");
    }

    [Fact]
    public void CaGrad_OppositeGradientsOfUnlikeSize_LetsTheSmallOneWin()
    {
        // Sum (9, 0) hurts the first task; with c near 1 the update may turn far enough not to.
        double[][] g = [[-1, 1], [10, 1]];
        var plain = Dot(g[0], Sum([1, 1], g));
        var weights = Weights(new ConflictAverseWeighting([1, 1], c: 0.95), [1, 1], Gram(g));
        Assert.True(plain < 0);
        Assert.True(Dot(g[0], Sum(weights, g)) > plain / 2, $"{Dot(g[0], Sum(weights, g))}");
    }

    [Fact]
    public void Famo_OneTaskLagsBehind_WeighsItMore()
    {
        var weighting = new FastAdaptiveWeighting([1, 1]);
        Assert.Equal([1, 1], Weights(weighting, [2, 2]));
        for (var step = 0; step < 200; step++)
        {
            Weights(weighting, [2, 2]);
            weighting.AfterStep([1, 1.99]);
        }

        var weights = Weights(weighting, [2, 2]);
        Assert.True(weights[1] > 1.5 * weights[0], $"{weights[0]}, {weights[1]}");
    }

    [Fact]
    public void Famo_LossesOfUnlikeScale_BalancesRelativeRates()
    {
        var weights = Weights(new FastAdaptiveWeighting([1, 1]), [0.01, 100]);
        Assert.Equal(1e4, weights[0] / weights[1], 1);
    }

    [Theory]
    [InlineData(WeightingKind.Fixed)]
    [InlineData(WeightingKind.Equal)]
    [InlineData(WeightingKind.Uncertainty)]
    [InlineData(WeightingKind.Dwa)]
    [InlineData(WeightingKind.GradNorm)]
    [InlineData(WeightingKind.PcGrad)]
    [InlineData(WeightingKind.CaGrad)]
    [InlineData(WeightingKind.Famo)]
    public void EveryKind_QuadraticsWithOneGoal_ReachesItFromItsOwnState(WeightingKind kind)
    {
        // Two tasks, scales 1 and 20, one goal: whatever the weights, gradient descent must get there; state carried over in the middle.
        var weighting = TaskWeightings.Create(kind, [1, 1], seed: 3);
        double[] x = [3, -2], scales = [1, 20];
        double[] Losses() => [.. scales.Select(scale => 0.5 * scale * Dot(x, x))];
        for (var step = 0; step < 600; step++)
        {
            if (step == 300)
            {
                var state = weighting.State;
                weighting = TaskWeightings.Create(kind, [1, 1], seed: 3);
                weighting.State = state;
            }

            var g = scales.Select(scale => x.Select(value => scale * value).ToArray()).ToArray();
            var weights = Weights(weighting, Losses(), Gram(g));
            var d = Sum(weights, g);
            for (var i = 0; i < x.Length; i++)
                x[i] -= 0.01 * d[i];
            weighting.AfterStep(Losses());
            if (step % 100 == 99)
                weighting.AfterEpoch(Losses());
        }

        Assert.True(Dot(x, x) < 1e-3, $"x is {x[0]}, {x[1]}");
    }

    [Theory]
    [InlineData(WeightingKind.Uncertainty)]
    [InlineData(WeightingKind.GradNorm)]
    [InlineData(WeightingKind.PcGrad)]
    [InlineData(WeightingKind.CaGrad)]
    [InlineData(WeightingKind.Famo)]
    public void EveryKind_TaskWithoutLabel_HasNoWeightAndSpoilsNothing(WeightingKind kind)
    {
        var weighting = TaskWeightings.Create(kind, [1, 1, 1], seed: 3);
        var weights = Weights(weighting, [1, double.NaN, 2], new double[,] { { 1, double.NaN, 0.5 }, { double.NaN, double.NaN, double.NaN }, { 0.5, double.NaN, 2 } });
        Assert.Equal(0, weights[1]);
        Assert.All(weights, weight => Assert.True(double.IsFinite(weight)));
        Assert.True(weights[0] > 0 && weights[2] > 0);
    }

    private static double[] Weights(TaskWeighting weighting, double[] losses, double[,]? products = null)
    {
        var weights = new double[losses.Length];
        weighting.Weigh(losses, products, weights);
        return weights;
    }

    private static double[,] Gram(double[][] g)
    {
        var gram = new double[g.Length, g.Length];
        for (var i = 0; i < g.Length; i++)
        {
            for (var j = 0; j < g.Length; j++)
                gram[i, j] = Dot(g[i], g[j]);
        }

        return gram;
    }

    private static double[] Sum(double[] weights, double[][] g) => [.. Enumerable.Range(0, g[0].Length).Select(i => weights.Select((w, k) => w * g[k][i]).Sum())];

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
}
