using System.Globalization;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Worlds;

/// <param name="UserId">For example "u0001".</param>
/// <param name="ItemId">For example "camera-017".</param>
/// <param name="Value">Share watched or heard, 0 to 1, in thousandths; null in worlds without.</param>
/// <param name="Category">The item's cluster.</param>
public sealed record WorldRow(string UserId, string ItemId, string Behavior, long TimestampMs, double? Value, string Category);

/// <summary>A generated world: its events, what to learn from them, and the best that can be learnt.</summary>
public sealed class WorldData
{
    public required string Name { get; init; }

    /// <summary>In time order; a user's times all differ.</summary>
    public required IReadOnlyList<WorldRow> Rows { get; init; }
    public required IReadOnlyList<TaskDefinition> Tasks { get; init; }

    /// <summary>The true probabilities measured on the leave-one-out test events (each user's last), by the names that a model's metrics have.</summary>
    public required IReadOnlyDictionary<string, double> Truth { get; init; }

    /// <summary>For each behaviour the sum of its true probabilities over all events, and of p(1-p): its expected count and its variance.</summary>
    public required IReadOnlyDictionary<string, (double Expected, double Variance)> BehaviorCounts { get; init; }

    /// <summary>The events as a file that the importer reads without a mapping.</summary>
    public void WriteCsv(string path)
    {
        using var writer = new StreamWriter(path) { NewLine = "\n" };
        writer.WriteLine("user_id,item_id,behavior,timestamp_ms,value,category");
        foreach (var row in Rows)
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.UserId},{row.ItemId},{row.Behavior},{row.TimestampMs},{row.Value},{row.Category}"));
    }

    /// <summary>The same that importing the file gives, not yet split.</summary>
    public SequenceDataset ToDataset()
    {
        var builder = new SequenceDatasetBuilder([], Rows.Count);
        foreach (var user in Rows.GroupBy(row => row.UserId).OrderBy(user => user.Key, StringComparer.Ordinal))
        {
            builder.BeginSequence(user.Key);
            foreach (var row in user)
                builder.Add(row.ItemId, row.Behavior, row.TimestampMs, (float?)row.Value ?? float.NaN, row.Category);
        }

        return builder.Build();
    }
}
