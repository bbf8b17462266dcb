using System.Globalization;
using System.Text;
using System.Text.Json;
using GrpcRec.V1;

namespace GrpcRec.Server.Commands;

/// <summary>One user of an event file, picked to be shown: what they did, and what they really did next.</summary>
/// <param name="History">Oldest first, without the last event.</param>
/// <param name="Next">The last event, which the model has not trained on.</param>
sealed record DemoUser(string Id, IReadOnlyList<Event> History, Event Next)
{
    const int MinEvents = 6;
    const int ShownEvents = 20;

    /// <summary>Rows looked at for a user; files may be far larger than a look at one user needs.</summary>
    const int MaxRows = 200_000;

    /// <summary>The first user, by id, with a history long enough to be worth showing.</summary>
    /// <exception cref="ServerOptionsException">There is none among the first rows, or the file's format cannot be looked into here.</exception>
    public static DemoUser Pick(string path, ColumnMapping? columns)
    {
        var users = new SortedDictionary<string, List<Event>>(StringComparer.Ordinal);
        foreach (var (user, happened) in Rows(path, columns ?? new()).Take(MaxRows))
        {
            if (!users.TryGetValue(user, out var events)) users.Add(user, events = []);
            events.Add(happened);
        }
        foreach (var (id, events) in users)
        {
            if (events.Count < MinEvents) continue;
            var ordered = events.OrderBy(happened => happened.TimestampMs).TakeLast(ShownEvents + 1).ToArray();
            return new(id, ordered[..^1], ordered[^1]);
        }
        throw new ServerOptionsException($"No user in the first {MaxRows:N0} rows has {MinEvents} events: there is nothing to show. Train with `grpcrec train` instead.");
    }

    static IEnumerable<(string User, Event Event)> Rows(string path, ColumnMapping columns) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".csv" => Delimited(path, ',', columns),
        ".tsv" => Delimited(path, '\t', columns),
        ".jsonl" => JsonLines(path, columns),
        _ => throw new ServerOptionsException("The demo looks into .csv, .tsv and .jsonl files alone, to show a user of yours. `grpcrec train` also takes .gz and .parquet."),
    };

    static IEnumerable<(string, Event)> Delimited(string path, char separator, ColumnMapping columns)
    {
        using var reader = new StreamReader(path);
        var header = Fields(reader.ReadLine() ?? "", separator);
        while (reader.ReadLine() is { } line)
        {
            var fields = Fields(line, separator);
            var row = new Dictionary<string, string>(StringComparer.Ordinal);
            for (var i = 0; i < Math.Min(header.Count, fields.Count); i++) row[header[i]] = fields[i];
            if (ToEvent(name => row.GetValueOrDefault(name), columns) is { } found) yield return found;
        }
    }

    static IEnumerable<(string, Event)> JsonLines(string path, ColumnMapping columns)
    {
        foreach (var line in File.ReadLines(path))
        {
            JsonDocument document;
            try
            {
                document = JsonDocument.Parse(line);
            }
            catch (JsonException)
            {
                // The import counts bad rows and reports them; here they are only passed over.
                continue;
            }
            using (document)
            {
                if (document.RootElement.ValueKind == JsonValueKind.Object
                    && ToEvent(name => document.RootElement.TryGetProperty(name, out var value) ? value.ToString() : null, columns) is { } found)
                    yield return found;
            }
        }
    }

    static (string, Event)? ToEvent(Func<string, string?> field, ColumnMapping columns)
    {
        var user = field(Or(columns.SessionId.Length > 0 ? columns.SessionId : columns.UserId, "user_id"));
        var item = field(Or(columns.ItemId, "item_id"));
        if (string.IsNullOrEmpty(user) || string.IsNullOrEmpty(item)) return null;
        var happened = new Event { ItemId = item, Behavior = field(Or(columns.Behavior, "behavior")) ?? "" };
        var time = field(Or(columns.TimestampMs, "timestamp_ms"));
        if (long.TryParse(time, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var milliseconds)) happened.TimestampMs = milliseconds;
        else if (DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var instant)) happened.TimestampMs = instant.ToUnixTimeMilliseconds();
        if (double.TryParse(field(Or(columns.Value, "value")), NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value)) happened.Value = value;
        return (user, happened);
    }

    static string Or(string name, string otherwise) => name.Length > 0 ? name : otherwise;

    /// <summary>One line's fields; quoted ones may hold the separator and doubled quotes. Line breaks in a field are the importer's business.</summary>
    static List<string> Fields(string line, char separator)
    {
        var fields = new List<string>();
        var field = new StringBuilder();
        var quoted = false;
        for (var i = 0; i < line.Length; i++)
        {
            if (line[i] == '"' && quoted && i + 1 < line.Length && line[i + 1] == '"') field.Append(line[++i]);
            else if (line[i] == '"') quoted = !quoted;
            else if (line[i] == separator && !quoted)
            {
                fields.Add(field.ToString());
                field.Clear();
            }
            else field.Append(line[i]);
        }
        fields.Add(field.ToString());
        return fields;
    }
}
