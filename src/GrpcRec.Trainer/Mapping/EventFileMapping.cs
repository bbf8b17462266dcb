using GrpcRec.Trainer.Worker;
using GrpcRec.Training.Events;
using GrpcRec.V1;

namespace GrpcRec.Trainer.Mapping;

/// <summary>Where the events are and how they are cleaned, from the wire.</summary>
static class EventFileMapping
{
    /// <exception cref="TrainRequestException">The path leaves the data directory. The server has refused it already; this is the second lock.</exception>
    public static EventFile FromWire(DataSource source, string dataRoot)
    {
        var root = Path.GetFullPath(dataRoot);
        var path = Path.GetFullPath(Path.Combine(root, source.Path));
        if (!path.StartsWith(root.TrimEnd('/') + "/", StringComparison.Ordinal))
            throw new TrainRequestException("data.path leaves the data directory; give a path below it.");
        if (!File.Exists(path))
            throw new TrainRequestException($"data.path: there is no file \"{source.Path}\" in the data directory.");
        return new EventFile
        {
            Path = path,
            Format = source.Format switch
            {
                DataFormat.Csv => EventFormat.Csv,
                DataFormat.Jsonl => EventFormat.JsonLines,
                DataFormat.Parquet => EventFormat.Parquet,
                _ => EventFormat.ByName,
            },
            Columns = FromWire(source.Columns ?? new ColumnMapping()),
        };
    }

    public static CleaningRules CleaningFromWire(Cleaning? wire)
    {
        var defaults = new CleaningRules();
        return wire is null
            ? defaults
            : defaults with
            {
                MinUserEvents = wire.HasMinUserEvents ? wire.MinUserEvents : defaults.MinUserEvents,
                MinItemEvents = wire.HasMinItemEvents ? wire.MinItemEvents : defaults.MinItemEvents,
                DropDuplicates = wire.HasDropDuplicates ? wire.DropDuplicates : defaults.DropDuplicates,
                MaxBadRowShare = wire.HasMaxBadRowShare ? wire.MaxBadRowShare : defaults.MaxBadRowShare,
                SessionGap = wire.SessionGap?.ToTimeSpan(),
            };
    }

    private static EventColumns FromWire(ColumnMapping wire) => new()
    {
        UserId = Named(wire.UserId),
        ItemId = Named(wire.ItemId),
        TimestampMs = Named(wire.TimestampMs),
        Behavior = Named(wire.Behavior),
        Value = Named(wire.Value),
        Category = Named(wire.Category),
        SessionId = Named(wire.SessionId),
        Labels = [.. wire.Labels],
        Contexts = [.. wire.Contexts],
    };

    private static string? Named(string column) => column.Length == 0 ? null : column;
}
