using GrpcRec.Training.Evaluation;

namespace GrpcRec.Training.Tests.Evaluation;

public sealed class RankingMetricsTests
{
    [Fact]
    public void AddTo_ThreeRanks_GivesHandWorkedMeans()
    {
        var ranking = new RankingMetrics([10, 1]);
        ranking.Add(1);
        ranking.Add(3); // 1/log2(4) = 1/2
        ranking.Add(11);
        var metrics = new Dictionary<string, double>();
        ranking.AddTo(metrics);

        Assert.Equal(2.0 / 3, metrics["hr@10"], 12);
        Assert.Equal(1.5 / 3, metrics["ndcg@10"], 12);
        Assert.Equal((1 + 1.0 / 3) / 3, metrics["mrr@10"], 12);
        Assert.Equal(metrics["hr@10"], metrics["recall@10"]);
        Assert.Equal(1.0 / 3, metrics["hr@1"], 12);
        Assert.Equal(1.0 / 3, metrics["ndcg@1"], 12);
        Assert.Equal(8, metrics.Count);
    }

    [Fact]
    public void AddTo_RankAtCutoff_IsAHit_AndJustPastItIsNot()
    {
        var at = new RankingMetrics([5]);
        at.Add(5);
        var past = new RankingMetrics([5]);
        past.Add(6);
        Dictionary<string, double> atMetrics = [], pastMetrics = [];
        at.AddTo(atMetrics);
        past.AddTo(pastMetrics);
        Assert.Equal(1, atMetrics["hr@5"]);
        Assert.Equal(1 / Math.Log2(6), atMetrics["ndcg@5"], 12);
        Assert.All(pastMetrics.Values, v => Assert.Equal(0, v));
    }

    [Fact]
    public void AddTo_NoTargets_WritesNothing()
    {
        var metrics = new Dictionary<string, double>();
        new RankingMetrics([5]).AddTo(metrics);
        Assert.Empty(metrics);
    }

    [Fact]
    public void Add_RankZero_Throws() => Assert.Throws<ArgumentOutOfRangeException>(() => new RankingMetrics([5]).Add(0));

    [Fact]
    public void Constructor_BadCutoffs_Throws()
    {
        Assert.Throws<ArgumentException>(() => new RankingMetrics([]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RankingMetrics([0]));
    }
}
