using GrpcRec.Engine.Models;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Tests.Datasets;

namespace GrpcRec.Training.Tests.Evaluation;

public sealed class TaskMetricsTests
{
    private static readonly IReadOnlyList<TaskLabels> Tasks = TaskLabels.Build(
        TinyDataset.Of([[0, 1]], items: 2, labels: new() { ["a"] = [1, 0], ["b"] = [1, 0] }, values: [1, 2]),
        [
            new() { Name = "next", Kind = TaskKind.NextItem },
            new() { Name = "a", Kind = TaskKind.Binary, Label = new LabelSource.Column("a") },
            new() { Name = "b", Kind = TaskKind.Binary, Label = new LabelSource.Column("b") },
            new() { Name = "c", Kind = TaskKind.Multiclass, Label = new LabelSource.ValueClasses([1, 2]) },
        ]);

    [Fact]
    public void Report_SeveralTasks_HasTheirMeansAndCalibration()
    {
        var metrics = new TaskMetrics(Tasks, [1]);
        for (var user = 0; user < 30; user++)
        {
            // a is always right, b always wrong, c right for its first class alone.
            metrics.AddLogits(1, user, [user % 2 == 0 ? 2 : -2], user % 2 == 0 ? 1 : 0);
            metrics.AddLogits(2, user, [user % 2 == 0 ? -2 : 2], user % 2 == 0 ? 1 : 0);
            metrics.AddLogits(3, user, [1, 0], user % 2);
        }

        var report = metrics.Report(resamples: 50);
        Assert.Equal(0.5, report.Metrics["auc/mean"], 12);
        Assert.Equal((1 + 0 + 0.5) / 3, report.Metrics["accuracy/mean"], 12);
        Assert.Equal((1 + 0 + (2.0 / 3 / 2)) / 3, report.Metrics["f1/mean"], 12);
        Assert.Equal(["a", "b", "c"], report.Calibration.Keys);
        Assert.Equal(2, report.Calibration["a"].Count);
        Assert.DoesNotContain(report.Metrics.Keys, name => name.StartsWith("hr@", StringComparison.Ordinal));
        var intervals = report.Bootstrap.Intervals();
        Assert.Equal(new ConfidenceInterval(1, 1), intervals["auc/a"]);
        Assert.Contains("f1/mean", intervals.Keys);
        Assert.DoesNotContain("count/a", intervals.Keys);
    }

    /// <summary>A task that nothing was predicted positive for has no precision, and a mean over the others would flatter.</summary>
    [Fact]
    public void Report_OneTaskWithoutAMetric_HasNoMeanOfIt()
    {
        var metrics = new TaskMetrics(Tasks, [1]);
        metrics.AddLogits(1, 0, [2], 1);
        metrics.AddLogits(2, 0, [-2], 1);
        var figures = metrics.ToDictionary();
        Assert.Equal(1, figures["precision/a"]);
        Assert.DoesNotContain("precision/mean", figures.Keys);
        Assert.Equal(0.5, figures["recall/mean"]);
        Assert.DoesNotContain("auc/mean", figures.Keys);
        Assert.Equal(0, figures["count/c"]);
    }

    /// <summary>A regression has neither accuracy nor f1: the means are over the tasks that could have them.</summary>
    [Fact]
    public void Report_RegressionAmongOthers_IsNoPartOfTheirMeans()
    {
        var tasks = TaskLabels.Build(
            TinyDataset.Of([[0, 1]], items: 2, labels: new() { ["a"] = [1, 0], ["b"] = [1, 0], ["r"] = [1, 2] }),
            [
                new() { Name = "a", Kind = TaskKind.Binary, Label = new LabelSource.Column("a") },
                new() { Name = "r", Kind = TaskKind.Regression, Label = new LabelSource.Column("r") },
                new() { Name = "b", Kind = TaskKind.Binary, Label = new LabelSource.Column("b") },
            ]);
        var metrics = new TaskMetrics(tasks, [1]);
        metrics.AddLogits(0, 0, [2], 1);
        metrics.AddLogits(1, 0, [2], 1);
        metrics.AddLogits(2, 0, [-2], 1);
        var figures = metrics.Report(resamples: 20).Metrics;
        Assert.Equal(0.5, figures["accuracy/mean"]);
        Assert.Equal(1, figures["count/r"]);
    }
}
