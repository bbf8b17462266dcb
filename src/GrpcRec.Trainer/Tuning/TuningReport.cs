using System.Globalization;
using System.Text.Json;
using GrpcRec.Engine.Models;
using ScottPlot;
using Spectre.Console;

namespace GrpcRec.Trainer.Tuning;

/// <summary>What a search found: a table, <c>best.json</c> for <c>evaluate --settings</c>, and <c>tune.png</c>.</summary>
static class TuningReport
{
    private const int ShownTrials = 20;
    private static readonly JsonSerializerOptions OneLine = new(PlanSettings.Json) { WriteIndented = false };

    /// <param name="state">The best first.</param>
    public static Spectre.Console.Table ToTable(TuningState state)
    {
        var table = new Spectre.Console.Table().Border(TableBorder.Rounded).AddColumn("trial").AddColumn("epochs").AddColumn(new TableColumn(Markup.Escape(state.Criterion)).RightAligned()).AddColumn("settings");
        foreach (var trial in state.Trials.Take(ShownTrials))
        {
            table.AddRow(
                trial.Number.ToString(CultureInfo.InvariantCulture), trial.Epochs.ToString(CultureInfo.InvariantCulture),
                trial.Value?.ToString("F4", CultureInfo.InvariantCulture) ?? "–", Markup.Escape(trial.Failure ?? SuccessiveHalving.Describe(trial.Settings)));
        }

        if (state.Trials.Count > ShownTrials)
            table.Caption($"and {state.Trials.Count - ShownTrials} more");
        return table;
    }

    public static void Write(TuningState state, string directory)
    {
        File.WriteAllText(Path.Combine(directory, "best.json"), state.Trials[0].Settings.ToJsonString(PlanSettings.Json));
        using var plot = new Plot();
        plot.Title("Trials of the search");
        foreach (var trial in state.Trials.Where(trial => trial.Curve.Count > 0).Reverse())
        {
            var isBest = trial == state.Trials[0];
            var line = plot.Add.Scatter(Enumerable.Range(1, trial.Curve.Count).Select(epoch => (double)epoch).ToArray(), trial.Curve.ToArray());
            line.LineWidth = isBest ? 3 : 1;
            line.Color = isBest ? Colors.Red : Colors.SteelBlue.WithAlpha(0.5);
            line.MarkerSize = isBest ? 6 : 3;
            line.LegendText = isBest ? $"trial {trial.Number}, the best" : "";
        }

        plot.XLabel("epoch");
        plot.YLabel($"{state.Criterion}, validation split");
        plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { IntegerTicksOnly = true };
        plot.ShowLegend();
        File.WriteAllBytes(Path.Combine(directory, "tune.png"), plot.GetImageBytes(900, 500, ImageFormat.Png));
    }

    public static string ToJson(TuningState state) => JsonSerializer.Serialize(
        new { state.Criterion, Best = state.Trials[0], state.Trials }, OneLine);
}
