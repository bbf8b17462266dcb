using System.Globalization;
using System.Text;

namespace GrpcRec.Training.Events;

/// <summary>One event as read, checked field by field.</summary>
internal sealed class EventParser(FieldLayout layout)
{
    /// <summary>Longest id, behaviour, category or context value, UTF-8: ids travel in every request.</summary>
    public const int MaxIdBytes = 256;

    /// <summary>2200-01-01 UTC. A later time is a unit mistaken (microseconds) or damage.</summary>
    public const long MaxTimestampMs = 7_258_118_400_000;

    /// <summary>Of an event without one.</summary>
    public const string DefaultBehavior = "event";

    public string Key { get; private set; } = "";
    public string Item { get; private set; } = "";
    public string Behavior { get; private set; } = "";
    public string? Category { get; private set; }
    public long TimestampMs { get; private set; }
    public float Value { get; private set; }

    /// <summary>[labels] NaN where unlabelled.</summary>
    public float[] Labels { get; } = new float[layout.LabelCount];

    /// <summary>[contexts] null where there is none.</summary>
    public string?[] Contexts { get; } = new string?[layout.ContextCount];

    /// <summary>Takes a row's fields. Returns what is wrong, or null.</summary>
    public string? Parse(string?[] fields, bool hasTime, long row)
    {
        Key = fields[FieldLayout.Key] ?? "";
        Item = fields[FieldLayout.Item] ?? "";
        Behavior = string.IsNullOrWhiteSpace(fields[FieldLayout.Behavior]) ? DefaultBehavior : fields[FieldLayout.Behavior]!;
        Category = string.IsNullOrWhiteSpace(fields[FieldLayout.Category]) ? null : fields[FieldLayout.Category];
        var fault = CheckId(Key, FieldLayout.Key) ?? CheckId(Item, FieldLayout.Item) ?? CheckId(Behavior, FieldLayout.Behavior);
        if (fault is null && Category is not null)
            fault = CheckId(Category, FieldLayout.Category);
        if (fault is not null)
            return fault;

        TimestampMs = row;
        if (hasTime && ParseTime(fields[FieldLayout.Time]) is { } timeFault)
            return timeFault;

        if (!TryNumber(fields[FieldLayout.Value], out var value))
            return NotANumber(FieldLayout.Value, fields);
        Value = value;
        for (var label = 0; label < Labels.Length; label++)
        {
            if (!TryNumber(fields[FieldLayout.FirstLabel + label], out Labels[label]))
                return NotANumber(FieldLayout.FirstLabel + label, fields);
        }

        for (var context = 0; context < Contexts.Length; context++)
        {
            var field = layout.FirstContext + context;
            Contexts[context] = string.IsNullOrWhiteSpace(fields[field]) ? null : fields[field];
            if (Contexts[context] is { } category && CheckId(category, field) is { } contextFault)
                return contextFault;
        }

        return null;
    }

    private string? CheckId(string id, int field)
    {
        var name = layout.Names[field];
        if (string.IsNullOrWhiteSpace(id))
            return $"{SampleText.Shorten(name)} is missing";
        if (Encoding.UTF8.GetByteCount(id) > MaxIdBytes)
            return $"{SampleText.Shorten(name)} is longer than {MaxIdBytes} bytes";
        foreach (var c in id)
        {
            if (char.IsControl(c))
                return $"{SampleText.Shorten(name)} holds a control character";
            if (c == '\uFFFD')
                return $"{SampleText.Shorten(name)} is not valid UTF-8";
        }

        return null;
    }

    private string? ParseTime(string? text)
    {
        var name = SampleText.Shorten(layout.Names[FieldLayout.Time]);
        if (string.IsNullOrWhiteSpace(text))
            return $"{name} is missing";
        if (!long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var time))
        {
            if (decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
                time = number is >= 0 and <= MaxTimestampMs ? (long)number : -1;
            else if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var instant))
                time = instant.ToUnixTimeMilliseconds();
            else
                return $"{name} \"{SampleText.Shorten(text)}\" is neither milliseconds nor a date and time";
        }

        if (time is < 0 or > MaxTimestampMs)
            return $"{name} is before 1970 or after 2199; it must be in milliseconds";
        TimestampMs = time;
        return null;
    }

    /// <summary>Empty is NaN. What is neither a finite number nor true or false is refused.</summary>
    private static bool TryNumber(string? text, out float number)
    {
        number = float.NaN;
        if (string.IsNullOrWhiteSpace(text))
            return true;
        if (bool.TryParse(text, out var flag))
        {
            number = flag ? 1 : 0;
            return true;
        }

        return float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number) && float.IsFinite(number);
    }

    private string NotANumber(int field, string?[] fields) =>
        $"{SampleText.Shorten(layout.Names[field])} \"{SampleText.Shorten(fields[field]!)}\" is not a finite number";
}
