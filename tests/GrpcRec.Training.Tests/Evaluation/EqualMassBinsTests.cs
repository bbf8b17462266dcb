using CsCheck;
using GrpcRec.Training.Evaluation;

namespace GrpcRec.Training.Tests.Evaluation;

public sealed class EqualMassBinsTests
{
    [Fact]
    public void Describe_TwentyRows_PutsTwoInEachBin()
    {
        var predicted = Enumerable.Range(0, 20).Select(i => i / 20f).ToArray();
        var bins = EqualMassBins.Describe(predicted, [.. Enumerable.Range(0, 20).Select(i => i >= 15)]);
        Assert.Equal(10, bins.Length);
        Assert.All(bins, bin => Assert.Equal(2, bin.Count));
        Assert.Equal(0.725, bins[7].MeanPredicted, 6);
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0.5, 1, 1], bins.Select(bin => bin.ObservedRate));
    }

    [Fact]
    public void Describe_EqualScores_StayInOneBin()
    {
        var bin = Assert.Single(EqualMassBins.Describe([0.5f, 0.5f, 0.5f, 0.5f], [true, false, false, false]));
        Assert.Equal(new CalibrationBin(0.5, 0.25, 4), bin);
        Assert.Empty(EqualMassBins.Describe([], []));
    }

    [Fact]
    public void Ends_AnyScores_CoverAllRowsOnceAndSplitNoTie() =>
        Gen.Int[0, 12].Array[0, 80].Sample(raw =>
        {
            float[] scores = [.. raw.Order().Select(score => score / 12f)];
            var ends = EqualMassBins.Ends(scores);
            Assert.Equal(ends.Distinct().Order(), ends);
            Assert.InRange(ends.Length, scores.Length == 0 ? 0 : 1, EqualMassBins.MaxBins);
            Assert.Equal(scores.Length, ends.LastOrDefault());
            Assert.All(ends.SkipLast(1), end => Assert.NotEqual(scores[end - 1], scores[end]));
        });

    /// <summary>A model that is sure of what happens half the time is half wrong; one that says the rate is not.</summary>
    [Theory]
    [InlineData(0.5f, 0)]
    [InlineData(1f, 0.5)]
    public void Ece_ConstantScore_IsItsDistanceFromTheRate(float score, double error)
    {
        var binary = new BinaryMetrics();
        for (var i = 0; i < 40; i++)
            binary.Add(i, score, i % 2 == 0);
        var metrics = new Dictionary<string, double>();
        binary.AddTo(metrics, "x");
        Assert.Equal(error, metrics["ece/x"], 9);
    }
}
