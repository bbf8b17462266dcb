using System.Globalization;
using GrpcRec.V1;
using Spectre.Console;

namespace GrpcRec.Server.Commands;

/// <summary>How a model's tasks stand to each other: cosines of their gradients, what each gains by the company, and what to mind.</summary>
static class RelatednessTable
{
    public static void Write(IAnsiConsole console, TaskRelatedness relatedness)
    {
        var tasks = relatedness.Tasks;
        var table = new Table().RoundedBorder().AddColumn(new TableColumn("Gradient cosines").NoWrap());
        foreach (var task in tasks) table.AddColumn(new TableColumn(new Text(task)).RightAligned());
        var gains = relatedness.Gains.ToDictionary(gain => gain.Task, StringComparer.Ordinal);
        if (gains.Count > 0) table.AddColumn(new TableColumn("Gain by company").RightAligned());
        for (var i = 0; i < tasks.Count; i++)
        {
            var cells = new List<Text> { new(tasks[i]) };
            for (var j = 0; j < tasks.Count; j++) cells.Add(new(Number(relatedness.GradientCosines[(i * tasks.Count) + j], "0.00")));
            if (gains.Count > 0) cells.Add(new(gains.TryGetValue(tasks[i], out var gain) ? $"{gain.Metric} {Number(gain.MultiTask - gain.SingleTask, "+0.0000;-0.0000")}" : ""));
            table.AddRow(cells);
        }

        console.Write(table);
        foreach (var warning in relatedness.Warnings) console.WriteLine(warning, new Style(Color.Yellow));
    }

    static string Number(double value, string format) => double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : "–";
}
