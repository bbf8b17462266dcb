using System.Text;

namespace GrpcRec.Training.Events;

/// <summary>
/// Rows of delimited text with a header, quoted as in RFC 4180. Read here and not by DuckDB, whose parallel reader can skip a bad row
/// but not say which it was: a report needs its number and its text. A quote that is never closed spoils its own line, not the rest of the file.
/// </summary>
internal sealed class DelimitedRows : IRowSource
{
    /// <summary>Lines that one quoted row may span.</summary>
    private const int MaxLinesPerRow = 32;

    private readonly BoundedLines _lines;
    private readonly Queue<(string Line, bool Overlong)> _replay = new();
    private readonly char _delimiter;
    private readonly int[] _places;
    private readonly List<string> _cells = [];
    private readonly StringBuilder _cell = new();
    private readonly int _width;

    public DelimitedRows(string path, FieldLayout layout)
    {
        _lines = new BoundedLines(path);
        try
        {
            var header = _lines.Read(out var overlong) ?? throw new ImportException("The file is empty; its first line must name the columns.");
            if (overlong)
                throw new ImportException($"The header line is longer than {BoundedLines.MaxLineLength} characters.");
            var name = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? path[..^3] : path;
            _delimiter = name.EndsWith(".tsv", StringComparison.OrdinalIgnoreCase) || (header.Contains('\t') && !header.Contains(',')) ? '\t' : ',';
            if (Split(header) is { } fault)
                throw new ImportException($"The header line cannot be read: {fault}.");
            _width = _cells.Count;
            _places = layout.Locate([.. _cells]);
        }
        catch
        {
            _lines.Dispose();
            throw;
        }
    }

    public bool HasTime => _places[FieldLayout.Time] >= 0;

    public string Text { get; private set; } = "";

    public bool Read(string?[] fields, out string? fault)
    {
        Array.Clear(fields);
        if (NextLine(skipEmpty: true) is not { } first)
        {
            fault = null;
            return false;
        }

        Text = first.Line;
        if (first.Overlong)
        {
            fault = $"longer than {BoundedLines.MaxLineLength} characters";
            return true;
        }

        fault = Split(Text);
        if (fault == OpenQuote)
            fault = Continue();
        if (fault is null && _cells.Count != _width)
            fault = $"{_cells.Count} fields where the header has {_width}";
        if (fault is not null)
            return true;

        for (var field = 0; field < fields.Length; field++)
        {
            if (_places[field] >= 0)
                fields[field] = _cells[_places[field]];
        }

        return true;
    }

    public void Dispose() => _lines.Dispose();

    private const string OpenQuote = "a quote is not closed";

    /// <summary>Joins lines until the quote closes. Where it does not, the lines are read again as rows of their own.</summary>
    private string? Continue()
    {
        var first = Text;
        var taken = new List<(string Line, bool Overlong)>();
        while (taken.Count < MaxLinesPerRow && NextLine(skipEmpty: false) is { } next)
        {
            taken.Add(next);
            if (next.Overlong || Text.Length + next.Line.Length > BoundedLines.MaxLineLength)
                break;
            Text += "\n" + next.Line;
            var fault = Split(Text);
            if (fault is null)
                return null;
            if (fault != OpenQuote)
                break;
        }

        foreach (var _ in Enumerable.Range(0, _replay.Count))
            taken.Add(_replay.Dequeue());
        foreach (var line in taken)
            _replay.Enqueue(line);
        Text = first;
        return OpenQuote;
    }

    private (string Line, bool Overlong)? NextLine(bool skipEmpty)
    {
        while (_replay.TryDequeue(out var replayed))
        {
            if (!skipEmpty || !string.IsNullOrWhiteSpace(replayed.Line))
                return replayed;
        }

        var line = skipEmpty ? _lines.Read(out var overlong) : _lines.ReadAny(out overlong);
        return line is null ? null : (line, overlong);
    }

    /// <summary>Splits one row into <see cref="_cells"/>; returns what is wrong with it.</summary>
    private string? Split(string row)
    {
        _cells.Clear();
        for (var at = 0; ; at++)
        {
            if (at < row.Length && row[at] == '"')
            {
                _cell.Clear();
                for (at++; ; at++)
                {
                    if (at >= row.Length)
                        return OpenQuote;
                    if (row[at] != '"')
                        _cell.Append(row[at]);
                    else if (at + 1 < row.Length && row[at + 1] == '"')
                        _cell.Append(row[at++]);
                    else
                        break;
                }

                at++;
                if (at < row.Length && row[at] != _delimiter)
                    return "text after a closing quote";
                _cells.Add(_cell.ToString());
            }
            else
            {
                var end = row.AsSpan(at).IndexOf(_delimiter);
                end = end < 0 ? row.Length : at + end;
                _cells.Add(row[at..end]);
                at = end;
            }

            if (at >= row.Length)
                return null;
        }
    }
}
