using System.Text.Json;

namespace GrpcRec.Training.Events;

/// <summary>Rows of JSON objects, one a line. Whether the file has times is told by its first object.</summary>
internal sealed class JsonLineRows(string path, FieldLayout layout) : IRowSource
{
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 8 };

    private readonly BoundedLines _lines = new(path);
    private bool _begun;

    public bool HasTime { get; private set; }

    public string Text { get; private set; } = "";

    public bool Read(string?[] fields, out string? fault)
    {
        Array.Clear(fields);
        fault = null;
        var line = _lines.Read(out var overlong);
        if (line is null)
            return false;
        Text = line;
        if (overlong)
        {
            fault = $"longer than {BoundedLines.MaxLineLength} characters";
            return true;
        }

        try
        {
            using var document = JsonDocument.Parse(line, Options);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                fault = "not a JSON object";
            else
                fault = ReadObject(document.RootElement, fields);
        }
        catch (JsonException)
        {
            fault = "not valid JSON";
        }
        catch (InvalidOperationException)
        {
            fault = "a text is not valid Unicode"; // a lone surrogate, \ud800, is found when the text is taken
        }

        return true;
    }

    public void Dispose() => _lines.Dispose();

    /// <summary>A context column's field is the object <c>context</c>'s, there or in its <c>values</c> (so an event has it on the wire), or else the row's own.</summary>
    private bool TryFind(JsonElement row, int field, out JsonElement value)
    {
        if (field >= layout.FirstContext && row.TryGetProperty("context", out var context) && context.ValueKind == JsonValueKind.Object)
        {
            if (context.TryGetProperty("values", out var values) && values.ValueKind == JsonValueKind.Object && values.TryGetProperty(layout.Names[field], out value))
                return true;
            if (context.TryGetProperty(layout.Names[field], out value))
                return true;
        }

        return row.TryGetProperty(layout.Names[field], out value);
    }

    private string? ReadObject(JsonElement row, string?[] fields)
    {
        if (!_begun)
        {
            _begun = true;
            HasTime = layout.Required[FieldLayout.Time] || row.TryGetProperty(layout.Names[FieldLayout.Time], out _);
        }

        for (var field = 0; field < fields.Length; field++)
        {
            if (!TryFind(row, field, out var value))
                continue;
            switch (value.ValueKind)
            {
                case JsonValueKind.String:
                    fields[field] = value.GetString();
                    break;
                case JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False:
                    fields[field] = value.GetRawText();
                    break;
                case JsonValueKind.Null:
                    break;
                default:
                    return $"\"{SampleText.Shorten(layout.Names[field])}\" is not a plain value";
            }
        }

        return null;
    }
}
