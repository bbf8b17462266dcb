using System.Text.Json;
using System.Text.Json.Serialization;
using GrpcRec.Benchmarks.Suites;
using Spectre.Console;

namespace GrpcRec.Benchmarks.Reports;

/// <summary>The result of a run: one JSON object for programs, a table for people.</summary>
public sealed record BenchmarkReport(string Bench, string Machine, int Threads, IReadOnlyList<BenchmarkRow> Rows)
{
    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    private const int TableWidth = 140;

    public string ToJson() => JsonSerializer.Serialize(this, Format);

    public void WriteTable(IAnsiConsole console)
    {
        ArgumentNullException.ThrowIfNull(console);
        // A file or a pipe has no width; a row in one line can be searched for.
        console.Profile.Width = Math.Max(console.Profile.Width, TableWidth);
        var table = new Table().Border(TableBorder.Simple).AddColumns("row", "ratio", "goal", "", "ours", "theirs", "unit", "spread", "against");
        foreach (var row in Rows)
        {
            table.AddRow(
                Markup.Escape(row.Name),
                Number(row.Ratio),
                row.Goal is { } goal ? (row.Direction == RatioGoal.AtMost ? "≤ " : "≥ ") + Number(goal) : "",
                row.Met switch { true => "[green]met[/]", false => "[red]missed[/]", null => "" },
                Number(row.Ours),
                Number(row.Theirs),
                Markup.Escape(row.Unit),
                Invariant($"{row.Spread:P1}"),
                Markup.Escape(row.Against));
        }

        console.MarkupLine(Markup.Escape($"{Machine}; {Threads} thread{(Threads == 1 ? "" : "s")}"));
        console.Write(table);
        foreach (var row in Rows.Where(row => row.Note.Length > 0))
            console.MarkupLine(Markup.Escape($"{row.Name}: {row.Note}"));
    }

    private static string Number(double value) => Math.Abs(value) >= 1000 ? Invariant($"{value:F0}") : Invariant($"{value:G4}");

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
