using System.Globalization;
using DuckDB.NET.Data;

namespace GrpcRec.Training.Events;

/// <summary>
/// The events of one import in a database file of DuckDB's own directory: written once, cleaned there, read back in order.
/// DuckDB sorts and groups within its memory limit and spills the rest, so the size of the input does not show in memory.
/// </summary>
internal sealed class EventStore : IDisposable
{
    private readonly string _directory;
    private readonly DuckDBConnection _connection;
    private readonly int _labels, _contexts;

    public EventStore(ImportLimits limits, int labels, int contexts)
    {
        (_labels, _contexts) = (labels, contexts);
        _directory = limits.SpillDirectory is null
            ? Directory.CreateTempSubdirectory("grpcrec-import-").FullName
            : Directory.CreateDirectory(Path.Combine(limits.SpillDirectory, "grpcrec-import-" + Path.GetRandomFileName())).FullName;
        var builder = new DuckDBConnectionStringBuilder { DataSource = Path.Combine(_directory, "events.duckdb") };
        _connection = new DuckDBConnection(builder.ConnectionString);
        try
        {
            _connection.Open();
            Execute(string.Create(CultureInfo.InvariantCulture, $"""
                SET memory_limit = '{limits.MemoryBytes}B';
                SET threads = {limits.Threads};
                SET temp_directory = '{Path.Combine(_directory, "spill").Replace("'", "''", StringComparison.Ordinal)}';
                SET max_temp_directory_size = '{limits.SpillBytes}B';
                SET preserve_insertion_order = true;
                SET autoinstall_known_extensions = false;
                SET autoload_known_extensions = false;
                CREATE TABLE events (row BIGINT, key VARCHAR, item VARCHAR, behavior VARCHAR, time BIGINT, value FLOAT, category VARCHAR
                    {string.Concat(Enumerable.Range(0, labels).Select(l => $", l{l} FLOAT"))}
                    {string.Concat(Enumerable.Range(0, contexts).Select(c => $", c{c} VARCHAR"))});
                """));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>A further connection, to read a file while this one writes.</summary>
    public DuckDBConnection OpenReader()
    {
        var reader = new DuckDBConnection(_connection.ConnectionString); // same file: the same database, opened once in this process
        reader.Open();
        return reader;
    }

    public DuckDBAppender OpenAppender() => _connection.CreateAppender("events");

    public static void Append(DuckDBAppender appender, EventParser parsed, long number)
    {
        var row = appender.CreateRow()
            .AppendValue(number)
            .AppendValue(parsed.Key)
            .AppendValue(parsed.Item)
            .AppendValue(parsed.Behavior)
            .AppendValue(parsed.TimestampMs);
        AppendNumber(row, parsed.Value);
        if (parsed.Category is null)
            row.AppendNullValue();
        else
            row.AppendValue(parsed.Category);
        foreach (var label in parsed.Labels)
            AppendNumber(row, label);
        foreach (var context in parsed.Contexts)
        {
            if (context is null)
                row.AppendNullValue();
            else
                row.AppendValue(context);
        }

        row.EndRow();
    }

    public long Count(CancellationToken cancellation) => Scalar("SELECT count(*) FROM events", cancellation);

    /// <summary>Keeps the first of the rows with the same user, item, behaviour and time. Returns how many went.</summary>
    public long DropDuplicates(CancellationToken cancellation) => Execute(
        """
        DELETE FROM events WHERE row IN (
            SELECT row FROM events QUALIFY row_number() OVER (PARTITION BY key, item, behavior, time ORDER BY row) > 1)
        """,
        cancellation);

    /// <summary>
    /// Drops users and items with too few events until all that is left has enough. What is left does not depend on the order of the rounds:
    /// it is the largest set in which everyone has enough.
    /// </summary>
    public long DropRare(int minUserEvents, int minItemEvents, CancellationToken cancellation)
    {
        long dropped = 0, round;
        do
        {
            round = 0;
            if (minUserEvents > 1)
                round += DropRare("key", minUserEvents, cancellation);
            if (minItemEvents > 1)
                round += DropRare("item", minItemEvents, cancellation);
            dropped += round;
        }
        while (round > 0);
        return dropped;
    }

    /// <summary>The events by key (in the order of its bytes), time and row. Labels and values that are absent come as NaN, contexts as null.</summary>
    public void ReadInOrder(Action<StoredEvent> take, CancellationToken cancellation)
    {
        using var command = _connection.CreateCommand();
        command.UseStreamingMode = true;
        command.CommandText = "SELECT * EXCLUDE (row) FROM events ORDER BY key, time, row";
        using var registration = cancellation.Register(command.Cancel);
        var stored = new StoredEvent { Labels = new float[_labels], Contexts = new string?[_contexts] };
        Guard(
            () =>
            {
                using var reader = command.ExecuteReader();
                while (reader.Read())
                {
                    cancellation.ThrowIfCancellationRequested();
                    stored.Key = reader.GetString(0);
                    stored.Item = reader.GetString(1);
                    stored.Behavior = reader.GetString(2);
                    stored.TimestampMs = reader.GetInt64(3);
                    stored.Value = reader.IsDBNull(4) ? float.NaN : reader.GetFloat(4);
                    stored.Category = reader.IsDBNull(5) ? null : reader.GetString(5);
                    for (var l = 0; l < _labels; l++)
                        stored.Labels[l] = reader.IsDBNull(6 + l) ? float.NaN : reader.GetFloat(6 + l);
                    for (var c = 0; c < _contexts; c++)
                        stored.Contexts[c] = reader.IsDBNull(6 + _labels + c) ? null : reader.GetString(6 + _labels + c);
                    take(stored);
                }

                return 0L;
            },
            cancellation);
    }

    public void Dispose()
    {
        _connection.Dispose();
        if (Directory.Exists(_directory))
            Directory.Delete(_directory, recursive: true);
    }

    private long DropRare(string column, int least, CancellationToken cancellation) => Execute(
        string.Create(CultureInfo.InvariantCulture, $"DELETE FROM events WHERE {column} IN (SELECT {column} FROM events GROUP BY {column} HAVING count(*) < {least})"),
        cancellation);

    private static void AppendNumber(IDuckDBAppenderRow row, float number)
    {
        if (float.IsNaN(number))
            row.AppendNullValue();
        else
            row.AppendValue(number);
    }

    private long Execute(string sql, CancellationToken cancellation = default)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        using var registration = cancellation.Register(command.Cancel);
        return Guard(() => command.ExecuteNonQuery(), cancellation);
    }

    private long Scalar(string sql, CancellationToken cancellation)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        using var registration = cancellation.Register(command.Cancel);
        return Guard(() => Convert.ToInt64(command.ExecuteScalar(), CultureInfo.InvariantCulture), cancellation);
    }

    /// <summary>An interrupted query is a cancellation; one that ran out of memory or disk says which setting to raise.</summary>
    private static long Guard(Func<long> query, CancellationToken cancellation)
    {
        try
        {
            return query();
        }
        catch (DuckDBException error)
        {
            cancellation.ThrowIfCancellationRequested();
            if (error.Message.Contains("Out of Memory", StringComparison.OrdinalIgnoreCase))
                throw new ImportException("Cleaning ran out of the memory or the disk it may use; raise MemoryBytes or SpillBytes of the import's limits.", error);
            throw new ImportException("The events could not be cleaned: DuckDB failed.", error);
        }
    }
}

/// <summary>One event on its way out of the store; the same object is filled again for the next.</summary>
internal sealed class StoredEvent
{
    public string Key { get; set; } = "";
    public string Item { get; set; } = "";
    public string Behavior { get; set; } = "";
    public string? Category { get; set; }
    public long TimestampMs { get; set; }
    public float Value { get; set; }
    public required float[] Labels { get; init; }
    public required string?[] Contexts { get; init; }
}
