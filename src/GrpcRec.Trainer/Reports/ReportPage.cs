using System.Globalization;
using System.Text.Encodings.Web;
using Fluid;

namespace GrpcRec.Trainer.Reports;

/// <summary>The report as a page, by <c>report.liquid</c>. Every text is encoded; only our own pictures stand in it as they are.</summary>
static class ReportPage
{
    private static readonly IFluidTemplate Template = Parse();
    private static readonly TemplateOptions Options = new() { MemberAccessStrategy = UnsafeMemberAccessStrategy.Instance };

    public static string Render(TrainingReport report, IReadOnlyList<ReportPicture> pictures) => Template.Render(
        new TemplateContext(
            new
            {
                report,
                pictures,
                Trained = report.TrainedAt.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture),
                Minutes = (report.Seconds / 60).ToString("0.0", CultureInfo.InvariantCulture),
                Epochs = report.History.Count,
                End = report.End switch
                {
                    Training.Learning.TrainingEnd.EarlyStopping => "no better epoch came",
                    Training.Learning.TrainingEnd.MaxDuration => "the time allowed was over",
                    _ => "all epochs were made",
                },
                Baselines = report.Baselines.Keys.ToArray(),
                Headlines = Rows(report, [.. report.Headlines.Values.Distinct()]),
                Metrics = Rows(report, [.. report.Metrics.Keys.Order(StringComparer.Ordinal)]),
                Gains = (report.Relatedness?.Gains ?? []).Select(gain => new
                {
                    gain.Task, gain.Metric, Multi = Number(gain.MultiTask), Single = Number(gain.SingleTask), Gain = gain.Gain.ToString("+0.0000;-0.0000", CultureInfo.InvariantCulture),
                }).ToArray(),
                Warnings = report.Relatedness?.Warnings ?? [],
            },
            Options),
        HtmlEncoder.Default);

    /// <summary>The model's value, and each baseline's; the bar is for metrics between 0 and 1.</summary>
    private static object[] Rows(TrainingReport report, string[] metrics) =>
        [.. metrics.Where(report.Metrics.ContainsKey).Select(metric => new
        {
            Metric = metric,
            Value = Number(report.Metrics[metric]),
            Bar = (Math.Clamp(report.Metrics[metric], 0, 1) * 100).ToString("0", CultureInfo.InvariantCulture),
            Interval = report.Intervals.TryGetValue(metric, out var bounds) ? $"{Number(bounds[0])} … {Number(bounds[1])}" : "",
            Beside = string.Join(" · ", report.Baselines.Where(baseline => baseline.Value.ContainsKey(metric)).Select(baseline => $"{baseline.Key} {Number(baseline.Value[metric])}")),
            Others = report.Baselines.Values.Select(values => values.TryGetValue(metric, out var value) ? Number(value) : "").ToArray(),
        })];

    private static string Number(double value) => value.ToString(Math.Abs(value) >= 1000 ? "N0" : "0.0000", CultureInfo.InvariantCulture);

    private static IFluidTemplate Parse()
    {
        using var stream = typeof(ReportPage).Assembly.GetManifestResourceStream("GrpcRec.Trainer.Reports.report.liquid")
            ?? throw new InvalidOperationException("report.liquid is not in the assembly");
        using var reader = new StreamReader(stream);
        return new FluidParser().Parse(reader.ReadToEnd());
    }
}
