using CsCheck;
using GrpcRec.Training.Evaluation;

namespace GrpcRec.Training.Tests.Evaluation;

public sealed class BinaryMetricsTests
{
    private static Dictionary<string, double> Measure(IEnumerable<(int Group, float Score, bool Label)> rows)
    {
        var binary = new BinaryMetrics();
        foreach (var (group, score, label) in rows)
            binary.Add(group, score, label);
        var metrics = new Dictionary<string, double>();
        binary.AddTo(metrics, "x");
        return metrics;
    }

    [Fact]
    public void AddTo_FiveRows_GivesHandWorkedValues()
    {
        var metrics = Measure([(0, 0.9f, true), (0, 0.6f, false), (0, 0.6f, true), (1, 0.25f, false), (1, 0.5f, true)]);

        // Pairs: 0.9 beats both; 0.6 ties one and beats one; 0.5 loses one and beats one: 2 + 1.5 + 1 of 6.
        Assert.Equal(4.5 / 6, metrics["auc/x"], 12);
        // Group 0: 1.5 of 2, three rows; group 1: 1 of 1, two rows.
        Assert.Equal((0.75 * 3 + 1.0 * 2) / 5, metrics["gauc/x"], 12);
        Assert.Equal(4.0 / 5, metrics["accuracy/x"], 12);
        Assert.Equal(3.0 / 4, metrics["precision/x"], 12);
        Assert.Equal(1, metrics["recall/x"], 12);
        Assert.Equal(6.0 / 7, metrics["f1/x"], 12);
        Assert.Equal(3.0 / 5, metrics["positives/x"], 12);
        Assert.Equal(5, metrics["count/x"]);
        // Bins by score: 0.25, 0.5, the two of 0.6 together, 0.9.
        Assert.Equal((0.25 + 0.5 + Math.Abs((2 * 0.6f) - 1) + (1 - 0.9f)) / 5, metrics["ece/x"], 6);
        var logLoss = -(Math.Log(0.9f) + Math.Log(1.0 - 0.6f) + Math.Log(0.6f) + Math.Log(0.75) + Math.Log(0.5)) / 5;
        Assert.Equal(logLoss, metrics["logloss/x"], 12);
    }

    [Fact]
    public void AddTo_OneLabelOnly_LeavesUndefinedMetricsOut()
    {
        var metrics = Measure([(0, 0.4f, false), (1, 0.1f, false)]);
        Assert.Equal(["accuracy/x", "count/x", "ece/x", "logloss/x", "positives/x"], metrics.Keys.Order());
        Assert.All(metrics.Values, v => Assert.True(double.IsFinite(v)));
    }

    [Fact]
    public void AddTo_NoRows_GivesTheCountAlone()
    {
        var metrics = Measure([]);
        Assert.Equal("count/x", Assert.Single(metrics).Key);
    }

    [Fact]
    public void AddTo_SureMistake_KeepsLogLossFinite()
    {
        var metrics = Measure([(0, 0f, true), (0, 1f, false)]);
        Assert.Equal(-Math.Log(BinaryMetrics.LogLossEpsilon), metrics["logloss/x"], 9);
        Assert.Equal(0, metrics["auc/x"]);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(-0.01f)]
    [InlineData(1.01f)]
    public void Add_NotAProbability_Throws(float score) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new BinaryMetrics().Add(0, score, true));

    [Fact]
    public void AddTo_AnyRows_AgreesWithCountingEveryPair() =>
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 8], Gen.Bool).Array[0, 60].Sample(raw =>
        {
            var rows = raw.Select(r => (Group: r.Item1, Score: r.Item2 / 8f, Label: r.Item3)).ToArray();
            var metrics = Measure(rows);
            Check(PairwiseAuc(rows), "auc/x");

            var groups = rows.GroupBy(r => r.Group).Select(g => (Rows: g.Count(), Auc: PairwiseAuc([.. g]))).Where(g => g.Auc.HasValue).ToArray();
            Check(groups.Length == 0 ? null : groups.Sum(g => g.Auc!.Value * g.Rows) / groups.Sum(g => g.Rows), "gauc/x");

            void Check(double? expected, string name)
            {
                Assert.Equal(expected.HasValue, metrics.ContainsKey(name));
                if (expected.HasValue)
                    Assert.Equal(expected.Value, metrics[name], 12);
            }
        });

    private static double? PairwiseAuc((int Group, float Score, bool Label)[] rows)
    {
        double sum = 0;
        var pairs = 0;
        foreach (var positive in rows.Where(r => r.Label))
        {
            foreach (var negative in rows.Where(r => !r.Label))
            {
                pairs++;
                sum += positive.Score > negative.Score ? 1 : positive.Score == negative.Score ? 0.5 : 0;
            }
        }

        return pairs == 0 ? null : sum / pairs;
    }
}
