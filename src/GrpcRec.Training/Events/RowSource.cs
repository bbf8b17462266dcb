using System.Text;

namespace GrpcRec.Training.Events;

/// <summary>Rows of a file as text fields in a fixed order, whatever its format. Numbers count every row that is not empty.</summary>
internal interface IRowSource : IDisposable
{
    /// <summary>The file has a time column. Known after the first Read.</summary>
    bool HasTime { get; }

    /// <summary>Moves to the next row.</summary>
    /// <param name="fields">[FieldLayout.Count] Overwritten; null where the row has none.</param>
    /// <param name="fault">Why the row as a whole cannot be read, or null.</param>
    /// <returns>False at the end.</returns>
    bool Read(string?[] fields, out string? fault);

    /// <summary>The current row as text.</summary>
    string Text { get; }
}

/// <summary>The columns wanted of a file, and where each comes to lie in a row's fields.</summary>
internal sealed class FieldLayout
{
    public const int Key = 0, Item = 1, Time = 2, Behavior = 3, Value = 4, Category = 5, FirstLabel = 6;

    /// <summary>Label columns of one file.</summary>
    public const int MaxLabels = 64;

    /// <summary>Context columns of one file: an event on the wire has no more.</summary>
    public const int MaxContexts = 16;

    /// <summary>Longest name of a context, UTF-8: it travels in every request.</summary>
    public const int MaxContextNameBytes = 64;

    public FieldLayout(EventColumns columns)
    {
        if (columns.Labels.Count > MaxLabels)
            throw new ImportException($"There are {columns.Labels.Count} label columns; at most {MaxLabels} are kept.");
        if (columns.Labels.Distinct(StringComparer.Ordinal).Count() != columns.Labels.Count || columns.Labels.Any(string.IsNullOrEmpty))
            throw new ImportException("Label columns must have different names, none empty.");
        CheckContexts(columns.Contexts);
        LabelCount = columns.Labels.Count;
        var bySession = !string.IsNullOrEmpty(columns.SessionId);
        Names =
        [
            bySession ? columns.SessionId! : Or(columns.UserId, "user_id"),
            Or(columns.ItemId, "item_id"),
            Or(columns.TimestampMs, "timestamp_ms"),
            Or(columns.Behavior, "behavior"),
            Or(columns.Value, "value"),
            Or(columns.Category, "category"),
            .. columns.Labels,
            .. columns.Contexts,
        ];
        Required =
        [
            true,
            true,
            !string.IsNullOrEmpty(columns.TimestampMs),
            !string.IsNullOrEmpty(columns.Behavior),
            !string.IsNullOrEmpty(columns.Value),
            !string.IsNullOrEmpty(columns.Category),
            .. columns.Labels.Select(_ => true),
            .. columns.Contexts.Select(_ => true),
        ];

        static string Or(string? name, string standard) => string.IsNullOrEmpty(name) ? standard : name;
    }

    /// <summary>[Count] Column name of each field.</summary>
    public string[] Names { get; }

    /// <summary>[Count] The file must have the column.</summary>
    public bool[] Required { get; }

    public int Count => Names.Length;
    public int LabelCount { get; }
    public int FirstContext => FirstLabel + LabelCount;
    public int ContextCount => Names.Length - FirstContext;
    public string[] LabelNames => Names[FirstLabel..FirstContext];
    public string[] ContextNames => Names[FirstContext..];

    /// <summary>[Count] For each field the position of its column in a file that has these columns; -1: not in it.</summary>
    public int[] Locate(IReadOnlyList<string> fileColumns)
    {
        var places = new int[Count];
        for (var field = 0; field < Count; field++)
        {
            places[field] = -1;
            for (var c = 0; c < fileColumns.Count; c++)
            {
                if (!string.Equals(fileColumns[c], Names[field], StringComparison.Ordinal))
                    continue;
                if (places[field] >= 0)
                    throw new ImportException($"The file has two columns \"{SampleText.Shorten(Names[field])}\"; rename one.");
                places[field] = c;
            }

            if (places[field] < 0 && Required[field])
            {
                var present = string.Join(", ", fileColumns.Take(20).Select(c => $"\"{SampleText.Shorten(c)}\""));
                throw new ImportException($"The file has no column \"{SampleText.Shorten(Names[field])}\"; it has {present}. Name the right one in the column mapping.");
            }
        }

        return places;
    }

    private static void CheckContexts(IReadOnlyList<string> contexts)
    {
        if (contexts.Count > MaxContexts)
            throw new ImportException($"There are {contexts.Count} context columns; at most {MaxContexts} are kept.");
        if (contexts.Distinct(StringComparer.Ordinal).Count() != contexts.Count || contexts.Any(string.IsNullOrEmpty))
            throw new ImportException("Context columns must have different names, none empty.");
        if (contexts.FirstOrDefault(name => Encoding.UTF8.GetByteCount(name) > MaxContextNameBytes) is { } longName)
            throw new ImportException($"The context column \"{SampleText.Shorten(longName)}\" has a name of more than {MaxContextNameBytes} bytes; rename it.");
    }
}
