using System.Text.Json;
using GrpcRec.Trainer.Benchmarks;

namespace GrpcRec.Trainer.Tests;

public sealed class BenchmarkTests
{
    [Fact]
    public void Summary_ThreeSeeds_IsMeanAndSampleDeviation()
    {
        var summary = MetricSummary.Of([0.1, 0.2, 0.3]);
        Assert.Equal(0.2, summary.Mean, 12);
        Assert.Equal(0.1, summary.Std, 12);
        Assert.Equal(0, MetricSummary.Of([0.7]).Std);
    }

    [Fact]
    public void Report_AsJson_HasTheAgreedShape()
    {
        var report = new BenchmarkReport
        {
            Benchmark = "b1a",
            Model = "lstm",
            Seeds = [1, 2],
            Metrics = new Dictionary<string, MetricSummary> { ["hr@10"] = new(0.3, 0.01) },
            Baselines = new Dictionary<string, IReadOnlyDictionary<string, double>> { ["markov-1"] = new Dictionary<string, double> { ["hr@10"] = 0.2 } },
            TrainingSeconds = [1, 2],
        };
        using var json = JsonDocument.Parse(report.ToJson());
        Assert.Equal(0.3, json.RootElement.GetProperty("metrics").GetProperty("hr@10").GetProperty("mean").GetDouble());
        Assert.Equal(0.2, json.RootElement.GetProperty("baselines").GetProperty("markov-1").GetProperty("hr@10").GetDouble());
        Assert.False(json.RootElement.TryGetProperty("quick", out _));
        using var quick = JsonDocument.Parse((report with { Quick = true }).ToJson());
        Assert.True(quick.RootElement.GetProperty("quick").GetBoolean());
    }

    [Fact]
    public void Presets_All_HaveDistinctNamesAndALimitedTraining()
    {
        Assert.Equal(BenchmarkPreset.All.Count, BenchmarkPreset.All.Select(preset => preset.Name).Distinct().Count());
        Assert.All(BenchmarkPreset.All, preset => Assert.NotNull(preset.Optimization.MaxDuration));
    }
}
