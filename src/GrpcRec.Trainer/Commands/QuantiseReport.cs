using System.Globalization;
using System.Text.Json;
using GrpcRec.Engine.Models;
using GrpcRec.Training.Evaluation;
using Spectre.Console;

namespace GrpcRec.Trainer.Commands;

/// <summary>What <c>quantise --json</c> prints.</summary>
/// <param name="Model">name/version that was measured.</param>
/// <param name="Version">That was written; null: none was, because every precision loses too much.</param>
/// <param name="Precision">Of the version that was written.</param>
/// <param name="Metric">That decided, on the validation split; more of it is better.</param>
/// <param name="Float32">Its value.</param>
/// <param name="MaxLoss">Share of it that may be lost.</param>
/// <param name="Measured">By precision.</param>
/// <param name="Test">Metrics of the new version on the test split.</param>
/// <param name="TestFloat32">The same of the model that was measured, as training wrote them into its manifest.</param>
sealed record QuantiseReport(
    string Model, string? Version, Precision? Precision, string Metric, double Float32, double MaxLoss,
    IReadOnlyDictionary<string, QuantiseReport.Figure> Measured, IReadOnlyDictionary<string, double> Test, IReadOnlyDictionary<string, double> TestFloat32)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public static QuantiseReport Of(ModelManifest measured, ModelManifest? written, PrecisionReport report, double maxLoss) => new(
        $"{measured.Name}/{measured.Version}", written?.Version, written?.Precision?.Precision, report.Metric, report.Float32, maxLoss,
        report.Measured.ToDictionary(figure => NameOf(figure.Precision), figure => new Figure(figure.Reduced, figure.RelativeLoss, figure.RelativeLoss <= maxLoss)),
        written?.Metrics ?? new Dictionary<string, double>(), measured.Metrics);

    public static string NameOf(Precision precision) => precision switch
    {
        Engine.Models.Precision.Bf16 => "bf16",
        Engine.Models.Precision.Int8 => "int8",
        _ => "float32",
    };

    public string ToJson() => JsonSerializer.Serialize(this, Json);

    public Table ToTable()
    {
        var table = new Table().Title(Markup.Escape($"{Model}, validation split")).Border(TableBorder.Rounded)
            .AddColumn("precision").AddColumn(new TableColumn(Markup.Escape(Metric)).RightAligned()).AddColumn(new TableColumn("relative loss").RightAligned());
        table.AddRow("float32", Text(Float32), "");
        foreach (var (name, figure) in Measured)
            table.AddRow(name, Text(figure.Value), $"{Percent(figure.RelativeLoss)}{(figure.Accepted ? "" : " (too much)")}");
        return table;
    }

    /// <summary>Why nothing was written, and what to do.</summary>
    public string Refusal() => string.Create(CultureInfo.InvariantCulture,
        $"{string.Join(" and ", Measured.Select(figure => $"{figure.Key} loses {Percent(figure.Value.RelativeLoss)} of {Metric} ({Text(figure.Value.Value)} after {Text(Float32)} in float32)"))}, more than the {Percent(MaxLoss)} of --max-loss. Nothing was written: serve the float32 version, or raise --max-loss if that loss is worth the speed.");

    private static string Text(double value) => value.ToString("F5", CultureInfo.InvariantCulture);

    private static string Percent(double share) => (100 * share).ToString("F2", CultureInfo.InvariantCulture) + " %";

    /// <param name="Value">Of the metric.</param>
    /// <param name="RelativeLoss">Negative where the reduced precision did better.</param>
    /// <param name="Accepted">It loses no more than the bound.</param>
    public sealed record Figure(double Value, double RelativeLoss, bool Accepted);
}
