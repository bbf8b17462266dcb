using DuckDB.NET.Data;

namespace GrpcRec.Training.Events;

/// <summary>Rows of a Parquet file, streamed by DuckDB, every column as text.</summary>
internal sealed class ParquetRows : IRowSource
{
    private readonly DuckDBCommand _command;
    private readonly DuckDBDataReader _reader;
    private readonly int[] _columns;

    /// <param name="connection">Used for this alone until disposed, by the caller.</param>
    public ParquetRows(DuckDBConnection connection, string path, FieldLayout layout)
    {
        var file = LiteralPath(path);
        var (names, types) = Describe(connection, file);
        var places = layout.Locate(names);
        HasTime = places[FieldLayout.Time] >= 0;

        var selected = new List<string>();
        _columns = new int[layout.Count];
        for (var field = 0; field < layout.Count; field++)
        {
            _columns[field] = places[field] < 0 ? -1 : selected.Count;
            if (places[field] >= 0)
                selected.Add(AsText(names[places[field]], types[places[field]]));
        }

        _command = connection.CreateCommand();
        _command.UseStreamingMode = true;
        _command.CommandText = $"SELECT {string.Join(", ", selected)} FROM read_parquet($path)";
        _command.Parameters.Add(new DuckDBParameter("path", file));
        _reader = _command.ExecuteReader();
    }

    public bool HasTime { get; }

    public string Text
    {
        get
        {
            var cells = Enumerable.Range(0, _reader.FieldCount).Select(c => _reader.IsDBNull(c) ? "" : _reader.GetString(c));
            return string.Join(",", cells);
        }
    }

    public bool Read(string?[] fields, out string? fault)
    {
        fault = null;
        if (!_reader.Read())
            return false;
        for (var field = 0; field < fields.Length; field++)
            fields[field] = _columns[field] < 0 || _reader.IsDBNull(_columns[field]) ? null : _reader.GetString(_columns[field]);
        return true;
    }

    public void Dispose()
    {
        _reader.Dispose();
        _command.Dispose();
    }

    /// <summary>A column's name is the file's, so it may hold anything: as a quoted identifier it is a name and nothing else.</summary>
    internal static string Quote(string identifier) => "\"" + identifier.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    /// <summary>DuckDB takes a path for a pattern; in brackets each special character stands for itself.</summary>
    internal static string LiteralPath(string path) => string.Concat(Path.GetFullPath(path).Select(c => c is '*' or '?' or '[' ? $"[{c}]" : c.ToString()));

    private static string AsText(string name, string type) =>
        type.StartsWith("TIMESTAMP", StringComparison.Ordinal) || type == "DATE"
            ? $"CAST(epoch_ms({Quote(name)}) AS VARCHAR)"
            : $"CAST({Quote(name)} AS VARCHAR)";

    private static (List<string> Names, List<string> Types) Describe(DuckDBConnection connection, string file)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "DESCRIBE SELECT * FROM read_parquet($path)";
        command.Parameters.Add(new DuckDBParameter("path", file));
        using var reader = command.ExecuteReader();
        List<string> names = [], types = [];
        while (reader.Read())
        {
            names.Add(reader.GetString(0));
            types.Add(reader.GetString(1));
        }

        return (names, types);
    }
}
