using System.CommandLine;
using System.Text.Json;
using GrpcRec.Trainer.Display;
using GrpcRec.Training.Events;
using Spectre.Console;

namespace GrpcRec.Trainer.Commands;

/// <summary><c>import</c>: what a file of events holds once it is cleaned, and what is wrong with it. Changes nothing.</summary>
static class ImportCommand
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public static Command Create()
    {
        var file = new Argument<FileInfo>("file") { Description = "CSV, TSV, JSON lines (each also .gz) or Parquet." };
        var columns = new Option<string[]>("--column")
        {
            Description = "FIELD=COLUMN where the file names it otherwise; fields: user_id, item_id, timestamp_ms, behavior, value, category, session_id. Repeatable.",
            AllowMultipleArgumentsPerToken = true,
        };
        var labels = new Option<string[]>("--label") { Description = "A column to keep as labels. Repeatable.", AllowMultipleArgumentsPerToken = true };
        var contexts = new Option<string[]>("--context") { Description = "A column to keep as contexts, categories that go with an event or its user. Repeatable.", AllowMultipleArgumentsPerToken = true };
        var users = new Option<int>("--min-user-events") { Description = "k-core: fewest events of a user.", DefaultValueFactory = _ => 1 };
        var items = new Option<int>("--min-item-events") { Description = "k-core: fewest events of an item.", DefaultValueFactory = _ => 1 };
        var share = new Option<double>("--max-bad-row-share") { Description = "Fails past this share of bad rows.", DefaultValueFactory = _ => 0.01 };
        var memory = new Option<int>("--memory-mb") { Description = "Memory that the reader may use before it spills to disk.", DefaultValueFactory = _ => 512 };
        var sample = new Option<FileInfo?>("--sample-user") { Description = "Also write one user's events to this file, as JSON." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object on the last line of standard output." };
        var command = new Command("import", "Reads and cleans a file of events and reports what it found.") { file, columns, labels, contexts, users, items, share, memory, sample, json };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                try
                {
                    var source = new EventFile
                    {
                        Path = parsed.GetRequiredValue(file).FullName,
                        Columns = ParseColumns(parsed.GetValue(columns) ?? [], parsed.GetValue(labels) ?? [], parsed.GetValue(contexts) ?? []),
                    };
                    var rules = new CleaningRules
                    {
                        MinUserEvents = parsed.GetValue(users),
                        MinItemEvents = parsed.GetValue(items),
                        MaxBadRowShare = parsed.GetValue(share),
                        Limits = new ImportLimits { MemoryBytes = (long)parsed.GetValue(memory) << 20 },
                    };
                    var (dataset, report) = TrainingDisplay.Count("rows read", progress => EventImporter.Import(source, rules, progress, cancellation));
                    if (parsed.GetValue(sample) is { } sampleFile)
                        File.WriteAllText(sampleFile.FullName, SampleUser.Of(dataset).ToJson());
                    TrainingDisplay.Console.Write(ToTable(report));
                    if (parsed.GetValue(json))
                        System.Console.Out.WriteLine(JsonSerializer.Serialize(report, Json));
                    return 0;
                }
                catch (Exception refusal) when (Refusals.IsForAPerson(refusal))
                {
                    if (refusal is ImportException { Report: { } partial })
                        TrainingDisplay.Console.Write(ToTable(partial));
                    System.Console.Error.WriteLine($"import: {refusal.Message}");
                    return 1;
                }
            },
            cancellation));
        return command;
    }

    private static EventColumns ParseColumns(string[] pairs, string[] labels, string[] contexts)
    {
        var columns = new EventColumns { Labels = labels, Contexts = contexts };
        foreach (var pair in pairs)
        {
            var (field, column) = pair.Split('=', 2) is [var left, var right] && right.Length > 0
                ? (left, right)
                : throw new ImportException($"--column {pair}: write it as FIELD=COLUMN.");
            columns = field switch
            {
                "user_id" => columns with { UserId = column },
                "item_id" => columns with { ItemId = column },
                "timestamp_ms" => columns with { TimestampMs = column },
                "behavior" => columns with { Behavior = column },
                "value" => columns with { Value = column },
                "category" => columns with { Category = column },
                "session_id" => columns with { SessionId = column },
                _ => throw new ImportException($"--column {pair}: there is no field \"{field}\"; see --help."),
            };
        }

        return columns;
    }

    private static Table ToTable(ImportReport report)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumn("events").AddColumn(new TableColumn("count").RightAligned());
        void Row(string name, long count) => table.AddRow(name, $"{count:N0}");
        Row("rows read", report.RowsRead);
        Row("bad rows", report.BadRows);
        Row("duplicates", report.DuplicateRows);
        Row("left out by the k-core filter", report.FilteredRows);
        Row("rows kept", report.RowsKept);
        Row("sequences", report.Sequences);
        Row("items", report.Items);
        Row("behaviours", report.Behaviors);
        foreach (var bad in report.BadRowSamples)
            table.AddRow(Markup.Escape($"bad row {bad.Row}: {bad.Reason}"), Markup.Escape(bad.Text));
        return table;
    }
}
