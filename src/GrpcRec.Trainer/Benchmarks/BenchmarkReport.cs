using System.Text.Json;
using System.Text.Json.Serialization;
using GrpcRec.Training.Evaluation;
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

/// <summary>What <c>evaluate --json</c> prints, as DESIGN §12 lays it down, and more beside it.</summary>
sealed record BenchmarkReport
{
    /// <summary>null: own data.</summary>
    public string? Benchmark { get; init; }

    /// <summary>Name of the file with own data.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Data { get; init; }

    public string Model { get; init; } = "";
    public IReadOnlyList<long> Seeds { get; init; } = [];

    /// <summary>On the test split.</summary>
    public required IReadOnlyDictionary<string, MetricSummary> Metrics { get; init; }
    public required IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> Baselines { get; init; }

    /// <summary>
    /// [low, high] of each metric's mean over the seeds, with 95 % confidence: percentiles over resampled users, all seeds resampled alike.
    /// What another training would change is in the seeds' deviation, not in here.
    /// </summary>
    public IReadOnlyDictionary<string, double[]> Ci { get; init; } = new Dictionary<string, double[]>();

    /// <summary>Resamples behind <see cref="Ci"/>.</summary>
    public int Resamples { get; init; }

    /// <summary>By task, bins of equal mass of the first seed's model: [mean predicted, observed rate, rows].</summary>
    public IReadOnlyDictionary<string, double[][]> Calibration { get; init; } = new Dictionary<string, double[][]>();

    /// <summary>The headline metric of each task in a model of that task alone, trained in the same way with the same seeds; absent when they were not trained.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, MetricSummary>? SingleTask { get; init; }

    /// <summary>Training time of each seed.</summary>
    public IReadOnlyList<double> TrainingSeconds { get; init; } = [];

    /// <summary>A minute-long form whose figures are not the benchmark's.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Quick { get; init; }

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <param name="runs">One for each seed, at least one, all of the same test set.</param>
    public static BenchmarkReport Of(IReadOnlyList<EvaluationReport> runs, IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> baselines)
    {
        var bootstrap = BootstrapSamples.OfMean([.. runs.Select(run => run.Bootstrap)]);
        return new BenchmarkReport
        {
            // A metric that one seed has no value for (no positive was predicted) has no mean.
            Metrics = runs[0].Metrics.Keys
                .Where(metric => runs.All(run => run.Metrics.ContainsKey(metric)))
                .ToDictionary(metric => metric, metric => MetricSummary.Of([.. runs.Select(run => run.Metrics[metric])])),
            Baselines = baselines,
            Ci = bootstrap.Intervals().ToDictionary(interval => interval.Key, interval => new[] { interval.Value.Low, interval.Value.High }),
            Resamples = bootstrap.Resamples,
            Calibration = runs[0].Calibration.ToDictionary(
                task => task.Key, task => task.Value.Select(bin => new[] { bin.MeanPredicted, bin.ObservedRate, bin.Count }).ToArray()),
        };
    }

    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>Model and baselines side by side; a baseline's column is empty where it has no such metric.</summary>
    public Table ToTable(string title)
    {
        var table = new Table().Title(Markup.Escape(title)).Border(TableBorder.Rounded).AddColumn("metric");
        table.AddColumn(new TableColumn(Markup.Escape(Seeds.Count > 1 ? $"{Model} (mean ± std of {Seeds.Count} seeds)" : Model)).RightAligned());
        table.AddColumn(new TableColumn("95 % of users' resamples").RightAligned());
        if (SingleTask is not null)
            table.AddColumn(new TableColumn("each task alone").RightAligned());
        foreach (var baseline in Baselines.Keys)
            table.AddColumn(new TableColumn(Markup.Escape(baseline)).RightAligned());
        foreach (var (metric, summary) in Metrics.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            var spread = Seeds.Count > 1 ? $" ± {summary.Std:F4}" : "";
            var interval = Ci.TryGetValue(metric, out var bounds) ? $"{bounds[0]:F4} … {bounds[1]:F4}" : "";
            var cells = Baselines.Values.Select(metrics => metrics.TryGetValue(metric, out var value) ? $"{value:F4}" : "");
            string[] alone = SingleTask is null ? [] : [SingleTask.TryGetValue(metric, out var single) ? $"{single.Mean:F4}{(Seeds.Count > 1 ? $" ± {single.Std:F4}" : "")}" : ""];
            table.AddRow([Markup.Escape(metric), $"{summary.Mean:F4}{spread}", interval, .. alone, .. cells]);
        }

        return table;
    }
}
