using GrpcRec.Training.Evaluation;

namespace GrpcRec.Training.Tests.Evaluation;

public class RegressionMetricsTests
{
    [Fact]
    public void AddTo_KnownErrors_GivesTheirMeans()
    {
        var regression = new RegressionMetrics();
        regression.Add(1, 2);
        regression.Add(5, 4);
        regression.Add(6, 9);
        var metrics = new Dictionary<string, double>();
        regression.AddTo(metrics, "price");
        Assert.Equal(3, metrics["count/price"]);
        Assert.Equal(Math.Sqrt(11.0 / 3), metrics["rmse/price"], 12);
        Assert.Equal(5.0 / 3, metrics["mae/price"], 12);
        Assert.Equal(1 - (11.0 / 26), metrics["r2/price"], 12);
    }

    [Fact]
    public void AddTo_LabelsAllAlike_HasNoR2()
    {
        var regression = new RegressionMetrics();
        regression.Add(1, 2);
        regression.Add(3, 2);
        var metrics = new Dictionary<string, double>();
        regression.AddTo(metrics, "price");
        Assert.Equal(["count/price", "mae/price", "rmse/price"], metrics.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Add_NotFinite_IsRefused()
    {
        var regression = new RegressionMetrics();
        Assert.Throws<ArgumentOutOfRangeException>(() => regression.Add(double.NaN, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => regression.Add(1, double.PositiveInfinity));
    }
}
