using System.Globalization;
using GrpcRec.Training.Learning;
using ScottPlot;

namespace GrpcRec.Trainer.Reports;

/// <summary>A report's pictures. Each stands alone: title, axes with units, legend.</summary>
static class ReportPlots
{
    /// <summary>Name (also of the PNG file), what it shows, and the picture; those that the report has no figures for are left out.</summary>
    public static IEnumerable<(string Name, string Caption, Plot Plot)> Of(TrainingReport report)
    {
        if (report.History.Count > 0)
            yield return ("losses", "Training loss of each task by epoch, before its weight.", Losses(report));
        foreach (var (name, caption, metrics) in ValidationGroups(report))
            yield return (name, caption, Lines(report, caption, metrics, epoch => epoch.ValidationMetrics));
        if (report.Relatedness is { } relatedness)
        {
            yield return ("tasks", "Cosines between the tasks' gradients, mean over training: 1 one way, 0 they do not meet, below 0 apart.", Cosines(relatedness.Tasks, relatedness.Cosines));
            if (report.History.Count(epoch => epoch.GradientCosines is not null) > 1)
                yield return ("cosines", "The same by epoch.", CosinesByEpoch(report));
            if (relatedness.Gains.Count > 0)
                yield return ("gains", "What each task has of its company: the model of all tasks less one of the task alone, test split.", Gains(relatedness));
        }

        if (report.Calibration.Count > 0)
            yield return ("calibration", "Predicted against observed, in bins of as many rows each, test split; on the diagonal a probability means what it says.", Calibration(report));
        if (report.Inputs.Count > 1)
            yield return ("inputs", "What is left of each task's metric when a part of the input is taken away or spoilt.", Inputs(report));
    }

    private static Plot Losses(TrainingReport report)
    {
        var tasks = report.History.SelectMany(epoch => epoch.TaskLosses.Keys).Distinct().Order(StringComparer.Ordinal);
        var plot = Lines(report, "Training loss", tasks, epoch => epoch.TaskLosses);
        plot.YLabel("nats");
        return plot;
    }

    /// <summary>Rankings and probabilities have scales of their own.</summary>
    private static IEnumerable<(string, string, string[])> ValidationGroups(TrainingReport report)
    {
        var all = report.History.SelectMany(epoch => epoch.ValidationMetrics.Keys).Distinct().ToHashSet(StringComparer.Ordinal);
        string[] ranking = [.. all.Where(metric => metric is "hr@10" or "ndcg@10" or "mrr@10").Order(StringComparer.Ordinal)];
        string[] others = [.. report.Headlines.Values.Where(metric => all.Contains(metric) && !ranking.Contains(metric))];
        if (ranking.Length > 0)
            yield return ("validation-ranking", "Ranking of the next item, validation split", ranking);
        if (others.Length > 0)
            yield return ("validation-tasks", "The other tasks, validation split", others);
    }

    private static Plot Lines(TrainingReport report, string title, IEnumerable<string> series, Func<EpochRecord, IReadOnlyDictionary<string, double>> values)
    {
        var plot = Create(title);
        foreach (var name in series)
        {
            var points = report.History.Where(epoch => values(epoch).TryGetValue(name, out var value) && double.IsFinite(value)).ToArray();
            var line = plot.Add.Scatter(Array.ConvertAll(points, epoch => (double)epoch.Epoch), Array.ConvertAll(points, epoch => values(epoch)[name]));
            line.LegendText = name;
            line.LineWidth = 2;
        }

        if (report.BestEpoch > 0)
        {
            var best = plot.Add.VerticalLine(report.BestEpoch, 1, Colors.Gray, LinePattern.Dashed);
            best.LegendText = string.Create(CultureInfo.InvariantCulture, $"epoch {report.BestEpoch}, the best");
        }

        plot.XLabel("epoch");
        plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { IntegerTicksOnly = true };
        plot.ShowLegend(Edge.Right);
        return plot;
    }

    private static Plot Cosines(IReadOnlyList<string> tasks, double[][] cosines)
    {
        var plot = Create("Gradients of the tasks");
        var values = new double[tasks.Count, tasks.Count];
        for (var i = 0; i < tasks.Count; i++)
        {
            for (var j = 0; j < tasks.Count; j++)
                values[i, j] = cosines[i][j];
        }

        var map = plot.Add.Heatmap(values);
        map.Colormap = new ScottPlot.Colormaps.Balance().Reversed();
        map.ManualRange = new ScottPlot.Range(-1, 1);
        plot.Add.ColorBar(map);
        var ticks = tasks.Select((task, i) => new Tick(i, task)).ToArray();
        for (var i = 0; i < tasks.Count; i++)
        {
            for (var j = 0; j < tasks.Count; j++)
            {
                // The first row is at the top.
                var text = plot.Add.Text(double.IsFinite(cosines[i][j]) ? cosines[i][j].ToString("0.00", CultureInfo.InvariantCulture) : "–", j, tasks.Count - 1 - i);
                text.LabelAlignment = Alignment.MiddleCenter;
                text.LabelFontColor = Math.Abs(cosines[i][j]) > 0.6 ? Colors.White : Colors.Black;
            }
        }

        plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericManual(ticks);
        plot.Axes.Left.TickGenerator = new ScottPlot.TickGenerators.NumericManual([.. tasks.Select((task, i) => new Tick(tasks.Count - 1 - i, task))]);
        plot.HideGrid();
        plot.Axes.Margins(0, 0);
        return plot;
    }

    private static Plot CosinesByEpoch(TrainingReport report)
    {
        var plot = Create("Gradients of the tasks, by epoch");
        var tasks = report.Relatedness!.Tasks;
        for (var i = 0; i < tasks.Count; i++)
        {
            for (var j = i + 1; j < tasks.Count; j++)
            {
                var points = report.History.Where(epoch => epoch.GradientCosines is { } one && double.IsFinite(one[i][j])).ToArray();
                var (row, column) = (i, j);
                var line = plot.Add.Scatter(Array.ConvertAll(points, epoch => (double)epoch.Epoch), Array.ConvertAll(points, epoch => epoch.GradientCosines![row][column]));
                line.LegendText = $"{tasks[i]} · {tasks[j]}";
                line.LineWidth = 2;
            }
        }

        plot.Add.HorizontalLine(0, 1, Colors.Gray, LinePattern.Dashed);
        plot.XLabel("epoch");
        plot.YLabel("cosine");
        plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { IntegerTicksOnly = true };
        plot.ShowLegend(Edge.Right);
        return plot;
    }

    private static Plot Gains(Training.Relatedness.TaskRelatedness relatedness)
    {
        var plot = Create("All tasks in one model, less each alone");
        for (var i = 0; i < relatedness.Gains.Count; i++)
        {
            var gain = relatedness.Gains[i];
            var bar = plot.Add.Bar(i, gain.Gain);
            bar.Color = gain.Gain < 0 ? Colors.IndianRed : Colors.SteelBlue;
            bar.Bars[0].Label = gain.Gain.ToString("+0.0000;-0.0000", CultureInfo.InvariantCulture);
        }

        plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericManual([.. relatedness.Gains.Select((gain, i) => new Tick(i, gain.Metric))]);
        plot.Add.HorizontalLine(0, 1, Colors.Gray);
        plot.Axes.Margins(vertical: 0.25);
        return plot;
    }

    private static Plot Calibration(TrainingReport report)
    {
        var plot = Create("Calibration");
        foreach (var (task, bins) in report.Calibration)
        {
            var line = plot.Add.Scatter(bins.Select(bin => bin.MeanPredicted).ToArray(), bins.Select(bin => bin.ObservedRate).ToArray());
            line.LegendText = task;
            line.LineWidth = 2;
        }

        plot.Add.Line(0, 0, 1, 1).Color = Colors.Gray;
        plot.XLabel("mean predicted probability");
        plot.YLabel("observed rate");
        plot.ShowLegend(Edge.Right);
        return plot;
    }

    private static Plot Inputs(TrainingReport report)
    {
        var plot = Create("What the model makes of its input");
        string[] metrics = [.. report.Headlines.Values.Where(metric => report.Inputs[0].Metrics.ContainsKey(metric))];
        var palette = new ScottPlot.Palettes.Category10();
        for (var m = 0; m < metrics.Length; m++)
        {
            for (var n = 0; n < report.Inputs.Count; n++)
            {
                if (!report.Inputs[n].Metrics.TryGetValue(metrics[m], out var value))
                    continue;
                // The whole input at the top.
                var bar = plot.Add.Bar(-((n * (metrics.Length + 1)) + m), value);
                bar.Horizontal = true;
                bar.Color = palette.GetColor(m);
                if (n == 0)
                    bar.LegendText = metrics[m];
            }
        }

        plot.Axes.Left.TickGenerator = new ScottPlot.TickGenerators.NumericManual(
            [.. report.Inputs.Select((input, n) => new Tick(-((n * (metrics.Length + 1)) + ((metrics.Length - 1) / 2.0)), input.Input))]);
        plot.Axes.Margins(left: 0);
        plot.ShowLegend(Edge.Right);
        return plot;
    }

    private static Plot Create(string title)
    {
        var plot = new Plot();
        plot.Title(title);
        return plot;
    }
}
