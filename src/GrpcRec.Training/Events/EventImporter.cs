using System.Globalization;
using DuckDB.NET.Data;
using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.Events;

/// <summary>
/// A file of events → cleaned sequences. Sequences come in the order of their keys' bytes, events by time and then by row, items and
/// categories by first appearance in that order, behaviours by frequency and then name: the same events give the same data set,
/// in whatever order a file with times lists them.
/// </summary>
public static class EventImporter
{
    /// <summary>Rows between two calls of the progress, and two looks at the cancellation.</summary>
    private const int ProgressInterval = 8192;

    /// <param name="rows">Told the rows read so far, from the importing thread.</param>
    /// <exception cref="ImportException">The file or the rules are at fault, a limit is passed, or too many rows are bad.</exception>
    public static ImportResult Import(EventFile file, CleaningRules rules, IProgress<long>? rows = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(rules);

        // 1. Check what was asked.
        rules.Validate();
        var layout = new FieldLayout(file.Columns);
        var format = file.ResolveFormat();
        if (!File.Exists(file.Path))
            throw new ImportException($"There is no file \"{Path.GetFileName(file.Path)}\" at the given path.");

        // 2. Read every row once; good ones into the store, bad ones into the report.
        using var store = new EventStore(rules.Limits, layout.LabelCount, layout.ContextCount);
        var (report, hasTime) = Stage(file.Path, format, layout, rules, store, rows, cancellation);
        if (rules.SessionGap is not null && !hasTime)
            throw new ImportException($"A session gap needs times, and the file has no column \"{layout.Names[FieldLayout.Time]}\".");

        // 3. Clean.
        if (rules.DropDuplicates && hasTime)
            report = report with { DuplicateRows = store.DropDuplicates(cancellation) };
        report = report with { FilteredRows = store.DropRare(rules.MinUserEvents, rules.MinItemEvents, cancellation) };
        report = report with { RowsKept = store.Count(cancellation) };
        if (report.RowsKept == 0)
        {
            throw new ImportException(string.Create(CultureInfo.InvariantCulture,
                $"No event is left of {report.RowsRead} rows: {report.BadRows} were bad, {report.DuplicateRows} repeated another, {report.FilteredRows} fell to the rules of {rules.MinUserEvents} events a user and {rules.MinItemEvents} an item."), report);
        }

        // 4. Read back in order, as sequences.
        var dataset = Gather(store, layout, rules, (int)report.RowsKept, hasTime, cancellation);
        return new ImportResult(dataset, report with
        {
            Sequences = dataset.SequenceCount,
            Items = dataset.Items.Count,
            Behaviors = dataset.Behaviors.Count,
        });
    }

    private static (ImportReport Report, bool HasTime) Stage(
        string path, EventFormat format, FieldLayout layout, CleaningRules rules, EventStore store, IProgress<long>? progress, CancellationToken cancellation)
    {
        long read = 0, bad = 0;
        var samples = new List<BadRow>();
        bool hasTime;
        try
        {
            using var reader = format == EventFormat.Parquet ? store.OpenReader() : null;
            using IRowSource source = format switch
            {
                EventFormat.Parquet => new ParquetRows(reader!, path, layout),
                EventFormat.JsonLines => new JsonLineRows(path, layout),
                _ => new DelimitedRows(path, layout),
            };
            using var appender = store.OpenAppender();
            var parser = new EventParser(layout);
            var fields = new string?[layout.Count];
            while (source.Read(fields, out var fault))
            {
                if (read++ % ProgressInterval == 0)
                {
                    cancellation.ThrowIfCancellationRequested();
                    progress?.Report(read - 1);
                }

                if (read > rules.Limits.MaxRows)
                    throw new ImportException($"The file has more than {rules.Limits.MaxRows} rows (limit MaxRows); split it, or raise the limit.");
                fault ??= parser.Parse(fields, source.HasTime, read);
                if (fault is null)
                {
                    EventStore.Append(appender, parser, read);
                    continue;
                }

                bad++;
                if (samples.Count < ImportReport.MaxSamples)
                    samples.Add(new BadRow(read, fault, SampleText.Shorten(source.Text)));
            }

            hasTime = source.HasTime;
        }
        catch (InvalidDataException error)
        {
            throw new ImportException($"\"{Path.GetFileName(path)}\" is damaged, or is not gzip as its name says.", error);
        }
        catch (IOException error)
        {
            throw new ImportException($"\"{Path.GetFileName(path)}\" could not be read to its end.", error);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new ImportException($"\"{Path.GetFileName(path)}\" may not be read by this process.", error);
        }
        catch (DuckDBException error)
        {
            cancellation.ThrowIfCancellationRequested();
            throw new ImportException(format == EventFormat.Parquet
                ? $"\"{Path.GetFileName(path)}\" could not be read as Parquet."
                : "The events could not be stored: DuckDB failed.", error);
        }

        progress?.Report(read);
        var report = new ImportReport { RowsRead = read, BadRows = bad, BadRowSamples = samples };
        if (bad > rules.MaxBadRowShare * read)
            throw new ImportException(TooManyBadRows(report, rules.MaxBadRowShare), report);
        return (report, hasTime);
    }

    private static string TooManyBadRows(ImportReport report, double allowed)
    {
        var reasons = report.BadRowSamples.Take(3).Select(b => $"row {b.Row}: {b.Reason}");
        return string.Create(CultureInfo.InvariantCulture,
            $"{report.BadRows} of {report.RowsRead} rows are bad, {(double)report.BadRows / report.RowsRead:P2}; {allowed:P2} are allowed (MaxBadRowShare). The first: {string.Join("; ", reasons)}.");
    }

    private static SequenceDataset Gather(EventStore store, FieldLayout layout, CleaningRules rules, int events, bool hasTime, CancellationToken cancellation)
    {
        var builder = new SequenceDatasetBuilder(layout.LabelNames, events, layout.ContextNames)
        {
            HasTimes = hasTime,
            MaxSequences = rules.Limits.MaxSequences,
            MaxItems = rules.Limits.MaxItems,
            MaxCategories = rules.Limits.MaxCategories,
        };
        var gapMs = rules.SessionGap is { } gap ? (long)gap.TotalMilliseconds : long.MaxValue;
        string? key = null;
        long last = 0;
        var session = 0;
        try
        {
            store.ReadInOrder(e =>
            {
                if (e.Key != key)
                {
                    key = e.Key;
                    session = 1;
                    builder.BeginSequence(Name());
                }
                else if (e.TimestampMs - last > gapMs)
                {
                    session++;
                    builder.BeginSequence(Name());
                }

                last = e.TimestampMs;
                builder.Add(e.Item, e.Behavior, e.TimestampMs, e.Value, e.Category, e.Labels, e.Contexts);
            }, cancellation);
            return builder.Build();
        }
        catch (DatasetLimitException error)
        {
            throw new ImportException(error.Message, error);
        }

        string Name() => rules.SessionGap is null ? key! : string.Create(CultureInfo.InvariantCulture, $"{key}#{session}");
    }
}
