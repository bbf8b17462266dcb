using System.Text.Json.Nodes;
using Google.Protobuf;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Events;
using GrpcRec.V1;

namespace GrpcRec.Trainer.Commands;

/// <summary>One user of a data set, to be shown to a person: the first, by id, with enough events to be worth it.</summary>
/// <param name="Sequence">The last events, oldest first.</param>
sealed record SampleUser(string Id, EventSequence Sequence)
{
    private const int MinEvents = 6;
    private const int MaxEvents = 21;

    /// <exception cref="ImportException">No user has that many.</exception>
    public static SampleUser Of(SequenceDataset dataset)
    {
        var longEnough = Enumerable.Range(0, dataset.SequenceCount).Where(s => dataset.Offsets[s + 1] - dataset.Offsets[s] >= MinEvents).ToArray();
        if (longEnough.Length == 0)
            throw new ImportException($"No user has {MinEvents} events: there is no one to show. `grpcrec train` trains on such data all the same.");
        var chosen = longEnough.MinBy(s => dataset.SequenceKeys[s], StringComparer.Ordinal);
        var end = dataset.Offsets[chosen + 1];
        var start = Math.Max(dataset.Offsets[chosen], end - MaxEvents);
        return new(dataset.SequenceKeys[chosen], new EventSequence { Events = { Enumerable.Range(start, end - start).Select(t => ToWire(dataset, t)) } });
    }

    public string ToJson() => new JsonObject { ["user"] = Id, ["sequence"] = JsonNode.Parse(JsonFormatter.Default.Format(Sequence)) }.ToJsonString();

    private static Event ToWire(SequenceDataset dataset, int t)
    {
        var happened = new Event
        {
            ItemId = dataset.Items.Items[dataset.ItemIds[t]].Id,
            Behavior = dataset.Behaviors[dataset.BehaviorIds[t]],
            TimestampMs = dataset.TimestampsMs[t],
        };
        if (float.IsFinite(dataset.Values[t]))
            happened.Value = dataset.Values[t];
        foreach (var (name, column) in dataset.Contexts)
        {
            if (column.Ids[t] > 0)
                (happened.Context ??= new()).Values[name] = column.Values[column.Ids[t] - 1];
        }

        return happened;
    }
}
