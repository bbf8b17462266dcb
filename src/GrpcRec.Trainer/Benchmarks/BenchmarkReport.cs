using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace GrpcRec.Trainer.Benchmarks;

/// <param name="Mean">Over the seeds.</param>
/// <param name="Std">Sample standard deviation over the seeds; 0 for one.</param>
sealed record MetricSummary(double Mean, double Std)
{
    public static MetricSummary Of(IReadOnlyCollection<double> values)
    {
        var mean = values.Average();
        var variance = values.Count < 2 ? 0 : values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1);
        return new(mean, Math.Sqrt(variance));
    }
}

/// <summary>What <c>evaluate --json</c> prints, as DESIGN §12 lays it down.</summary>
sealed record BenchmarkReport
{
    public required string Benchmark { get; init; }
    public required string Model { get; init; }
    public required IReadOnlyList<long> Seeds { get; init; }
    public required IReadOnlyDictionary<string, MetricSummary> Metrics { get; init; }
    public required IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> Baselines { get; init; }

    /// <summary>Training time of each seed.</summary>
    public required IReadOnlyList<double> TrainingSeconds { get; init; }

    /// <summary>A minute-long form whose figures are not the benchmark's.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Quick { get; init; }

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>Model and baselines side by side; a baseline's column is empty where it has no such metric.</summary>
    public Table ToTable(string title)
    {
        var table = new Table().Title(Markup.Escape(title)).Border(TableBorder.Rounded).AddColumn("metric");
        table.AddColumn(new TableColumn(Markup.Escape(Seeds.Count > 1 ? $"{Model} (mean ± std of {Seeds.Count} seeds)" : Model)).RightAligned());
        foreach (var baseline in Baselines.Keys)
            table.AddColumn(new TableColumn(Markup.Escape(baseline)).RightAligned());
        foreach (var (metric, summary) in Metrics.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            var spread = Seeds.Count > 1 ? $" ± {summary.Std:F4}" : "";
            var cells = Baselines.Values.Select(metrics => metrics.TryGetValue(metric, out var value) ? $"{value:F4}" : "");
            table.AddRow([Markup.Escape(metric), $"{summary.Mean:F4}{spread}", .. cells]);
        }

        return table;
    }
}
