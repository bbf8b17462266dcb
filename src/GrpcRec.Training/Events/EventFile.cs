namespace GrpcRec.Training.Events;

/// <summary>A file of events, one a row.</summary>
public sealed record EventFile
{
    public required string Path { get; init; }
    public EventFormat Format { get; init; } = EventFormat.ByName;
    public EventColumns Columns { get; init; } = new();

    /// <summary>The format that holds: as given, or by the file's ending.</summary>
    /// <exception cref="ImportException">The ending tells nothing.</exception>
    public EventFormat ResolveFormat()
    {
        if (Format != EventFormat.ByName)
            return Format;
        var name = System.IO.Path.GetFileName(Path);
        if (name.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
            name = name[..^3];
        return System.IO.Path.GetExtension(name).ToUpperInvariant() switch
        {
            ".CSV" or ".TSV" => EventFormat.Csv,
            ".JSONL" or ".NDJSON" => EventFormat.JsonLines,
            ".PARQUET" => EventFormat.Parquet,
            _ => throw new ImportException($"\"{name}\" does not end in .csv, .tsv, .jsonl or .parquet (the first three also with .gz); rename it or give the format."),
        };
    }
}

public enum EventFormat
{
    /// <summary>By the file's ending.</summary>
    ByName,

    /// <summary>Delimited text with a header line, RFC 4180 quoting. Tabs when the name ends in .tsv or the header has a tab and no comma.</summary>
    Csv,

    /// <summary>One JSON object a line.</summary>
    JsonLines,

    /// <summary>Apache Parquet.</summary>
    Parquet,
}

/// <summary>Which column means what. null: the default name, and no error when an optional column is missing. A name that is given must be in the file.</summary>
public sealed record EventColumns
{
    /// <summary>Default "user_id". Not needed when <see cref="SessionId"/> is given.</summary>
    public string? UserId { get; init; }

    /// <summary>Default "item_id".</summary>
    public string? ItemId { get; init; }

    /// <summary>Default "timestamp_ms": milliseconds since 1970 UTC, or a date and time (UTC when it names no zone). Without it the file's order is time order.</summary>
    public string? TimestampMs { get; init; }

    /// <summary>Default "behavior". Without it every event is an "event".</summary>
    public string? Behavior { get; init; }

    /// <summary>Default "value".</summary>
    public string? Value { get; init; }

    /// <summary>Default "category": the item's.</summary>
    public string? Category { get; init; }

    /// <summary>Sequences are sessions, with these ids, and not users. No default.</summary>
    public string? SessionId { get; init; }

    /// <summary>Kept as label columns: a number, true or false; empty is unlabelled.</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>
    /// Kept as contexts, each value as its text; empty is none. In JSON lines also the fields of an object <c>context</c>, as an event has it on
    /// the wire. Their names are those by which a served model is asked.
    /// </summary>
    public IReadOnlyList<string> Contexts { get; init; } = [];
}
