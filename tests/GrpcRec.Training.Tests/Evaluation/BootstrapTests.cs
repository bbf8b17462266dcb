using CsCheck;
using GrpcRec.Training.Evaluation;

namespace GrpcRec.Training.Tests.Evaluation;

public sealed class BootstrapTests
{
    /// <summary>A user drawn twice counts as two users with the same rows: the weights against rows written out.</summary>
    [Fact]
    public void Measure_AnyWeights_AgreesWithRepeatingTheGroupsRows() =>
        Gen.Select(Gen.Select(Gen.Int[0, 3], Gen.Int[0, 8], Gen.Int[0, 2]).Array[1, 40], Gen.Int[0, 3].Array[4]).Sample((rows, weights) =>
        {
            var families = Families();
            var written = Families();
            foreach (var (group, score, label) in rows)
            {
                Add(families, group, score, label);
                for (var copy = 0; copy < weights[group]; copy++)
                    Add(written, (4 * copy) + group, score, label);
            }

            for (var f = 0; f < families.Length; f++)
            {
                families[f].Prepare();
                written[f].Prepare();
                double[] values = new double[families[f].Kinds.Count], expected = new double[values.Length];
                families[f].Measure(weights, values);
                written[f].Measure([], expected);
                for (var m = 0; m < values.Length; m++)
                {
                    // The bins of a resample stay those of the test set; written out, they would move.
                    if (families[f].Kinds[m] != "ece" && rows.Any(row => weights[row.Item1] > 0))
                        Assert.Equal(expected[m], values[m], 9);
                }
            }
        });

    [Fact]
    public void Measure_WeightsOfOne_GiveTheFiguresThemselves() =>
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 8], Gen.Int[0, 2]).Array[1, 40].Sample(rows =>
        {
            var families = Families();
            foreach (var (group, score, label) in rows)
                Add(families, group, score, label);
            foreach (var family in families)
            {
                family.Prepare();
                double[] values = new double[family.Kinds.Count], figures = new double[values.Length];
                family.Measure([1, 1, 1, 1], values);
                family.Measure([], figures);
                Assert.Equal(figures, values);
            }
        });

    /// <summary>The normal approximation of a share: p ± 1.96·√(p(1−p)/n).</summary>
    [Fact]
    public void Intervals_HitsOfFourHundredUsers_ComeCloseToTheBinomials()
    {
        var ranking = new RankingMetrics([1]);
        for (var user = 0; user < 400; user++)
            ranking.Add(user % 4 == 0 ? 1 : 2, user);
        var interval = Interval(ranking, users: 400);
        var half = 1.96 * Math.Sqrt(0.25 * 0.75 / 400);
        Assert.Equal(0.25 - half, interval.Low, 0.006);
        Assert.Equal(0.25 + half, interval.High, 0.006);
    }

    /// <summary>Four hundred rows of four hundred users, or of ten: the same figure, known much less well.</summary>
    [Fact]
    public void Intervals_RowsOfFewUsers_AreWider()
    {
        RankingMetrics many = new([1]), few = new([1]);
        for (var row = 0; row < 400; row++)
        {
            many.Add(row / 40 % 2 == 0 ? 1 : 2, row);
            few.Add(row / 40 % 2 == 0 ? 1 : 2, row / 40);
        }

        ConfidenceInterval narrow = Interval(many, users: 400), wide = Interval(few, users: 10);
        Assert.True(wide.High - wide.Low > 4 * (narrow.High - narrow.Low), $"{wide} after {narrow}");
    }

    [Fact]
    public void Draw_SameSeed_RepeatsExactly_AndAnotherDoesNot()
    {
        static double[] Draw(long seed) =>
            Bootstrap.Draw([0, 3, 7], 50, seed, 1, (weights, values) => values[0] = weights[0] + (10 * weights[3]) + (100 * weights[7]), CancellationToken.None)[0];
        Assert.Equal(Draw(1), Draw(1));
        Assert.NotEqual(Draw(1), Draw(2));
        Assert.All(Draw(1), value => Assert.Equal(3, ((int)value % 10) + ((int)value / 10 % 10) + ((int)value / 100)));
    }

    [Theory]
    [InlineData(1_000, 1000)]
    [InlineData(4_000_000, 500)]
    [InlineData(4_000_000_000, 100)]
    public void ResamplesFor_ManyRows_AreFewer(long rows, int resamples) => Assert.Equal(resamples, Bootstrap.ResamplesFor(rows, 1000));

    [Fact]
    public void OfMean_TwoRuns_AveragesDrawByDraw()
    {
        BootstrapSamples one = new(2), two = new(2);
        one.Add("hr@1", [0, 1]);
        two.Add("hr@1", [1, 0]);
        two.Add("auc/x", [1, 1]);
        var mean = BootstrapSamples.OfMean([one, two]).Intervals();
        Assert.Equal(new ConfidenceInterval(0.5, 0.5), Assert.Single(mean).Value);
    }

    [Fact]
    public void Intervals_UndefinedOnSomeResample_LeavesTheMetricOut()
    {
        var samples = new BootstrapSamples(2);
        samples.Add("auc/x", [0.5, double.NaN]);
        Assert.Empty(samples.Intervals());
        Assert.Throws<ArgumentOutOfRangeException>(() => samples.Intervals(1));
    }

    private static IMetricFamily[] Families() => [new RankingMetrics([1, 3]), new BinaryMetrics(), new MulticlassMetrics(3)];

    private static void Add(IMetricFamily[] families, int group, int score, int label)
    {
        ((RankingMetrics)families[0]).Add(score + 1, group);
        ((BinaryMetrics)families[1]).Add(group, score / 8f, label > 0);
        ((MulticlassMetrics)families[2]).Add([score / 16f, (8 - score) / 16f, 0.5f - (score / 32f)], label, group);
    }

    private static ConfidenceInterval Interval(RankingMetrics ranking, int users)
    {
        ranking.Prepare();
        var width = ranking.Kinds.Count;
        var samples = new BootstrapSamples(2000);
        samples.Add("hr@1", Bootstrap.Draw([.. Enumerable.Range(0, users)], 2000, 1, width, ranking.Measure, CancellationToken.None)[0]);
        return samples.Intervals()["hr@1"];
    }
}
