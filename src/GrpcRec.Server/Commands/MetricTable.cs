using System.Globalization;
using Spectre.Console;

namespace GrpcRec.Server.Commands;

/// <summary>A model's metrics beside its baselines' and, in a synthetic world, beside the best that anyone who knows the world could reach.</summary>
static class MetricTable
{
    /// <summary>
    /// The metrics that a person looks at first, of those given: ranking at 10, the AUC of yes-or-no tasks, the accuracy of the others
    /// (that of a rare yes is high for a model that always says no).
    /// </summary>
    public static IReadOnlyList<string> Headlines(IEnumerable<string> metrics)
    {
        var all = metrics.ToHashSet(StringComparer.Ordinal);
        return [.. all.Where(metric => Rank(metric) is not null).OrderBy(metric => Rank(metric)).ThenBy(metric => metric, StringComparer.Ordinal)];

        int? Rank(string metric) => metric switch
        {
            "hr@10" => 0,
            "ndcg@10" => 1,
            "mrr@10" => 2,
            _ when metric.StartsWith("auc/", StringComparison.Ordinal) => 3,
            _ when metric.StartsWith("accuracy/", StringComparison.Ordinal) && !all.Contains($"auc/{metric["accuracy/".Length..]}") => 4,
            _ => null,
        };
    }

    /// <summary>"name/metric" → metrics by name. A metric's own name may hold a '/', a baseline's cannot.</summary>
    public static SortedDictionary<string, SortedDictionary<string, double>> ByBaseline(IEnumerable<KeyValuePair<string, double>> flat)
    {
        var baselines = new SortedDictionary<string, SortedDictionary<string, double>>(StringComparer.Ordinal);
        foreach (var (key, value) in flat)
        {
            var slash = key.IndexOf('/', StringComparison.Ordinal);
            if (slash <= 0) continue;
            if (!baselines.TryGetValue(key[..slash], out var metrics)) baselines.Add(key[..slash], metrics = new(StringComparer.Ordinal));
            metrics[key[(slash + 1)..]] = value;
        }
        return baselines;
    }

    /// <param name="oracle">Empty when the truth is not known.</param>
    public static Table Build(IDictionary<string, double> metrics, IDictionary<string, SortedDictionary<string, double>> baselines, IReadOnlyDictionary<string, double> oracle)
    {
        var table = new Table().RoundedBorder().AddColumn(new TableColumn("Metric").NoWrap()).AddColumn(new TableColumn("[bold]Model[/]").RightAligned());
        foreach (var name in baselines.Keys) table.AddColumn(new TableColumn(new Text(name)).RightAligned());
        if (oracle.Count > 0) table.AddColumn(new TableColumn("[green]Best possible[/]").RightAligned());

        var shown = Headlines(metrics.Keys);
        foreach (var metric in shown.Count > 0 ? shown : [.. metrics.Keys.Order(StringComparer.Ordinal)])
        {
            var cells = new List<Text> { new(metric), new(Number(metrics[metric]), new Style(decoration: Decoration.Bold)) };
            cells.AddRange(baselines.Values.Select(values => new Text(values.TryGetValue(metric, out var value) ? Number(value) : "")));
            if (oracle.Count > 0) cells.Add(new(oracle.TryGetValue(metric, out var best) ? Number(best) : "", new Style(Color.Green)));
            table.AddRow(cells);
        }
        return table;
    }

    static string Number(double value) => value.ToString("0.0000", CultureInfo.InvariantCulture);
}
