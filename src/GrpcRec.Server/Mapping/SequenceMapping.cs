using System.Text;
using Google.Protobuf.Collections;
using GrpcRec.Engine.Models;
using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Registry;
using GrpcRec.V1;

namespace GrpcRec.Server.Mapping;

/// <summary>What a model reads of a user's behaviour.</summary>
/// <param name="Items">[T] dense ids of the events read, oldest first.</param>
/// <param name="Kinds">[T] dense behaviour ids; with event features their kinds (<see cref="EventKinds"/>).</param>
/// <param name="Seen">Dense ids of all known events, also those that are too old to be read.</param>
/// <param name="Reading">What became of the events.</param>
public sealed record SequenceInput(int[] Items, int[] Kinds, int[] Seen, SequenceReading Reading);

/// <summary>From <see cref="UserState"/> to dense ids.</summary>
public static class SequenceMapping
{
    public static SequenceInput Read(UserState? user, ModelHandle model, RequestLimits limits, Violations violations)
    {
        const string whole = "Send the events whole in user.sequence.";
        switch (user?.SourceCase)
        {
            case UserState.SourceOneofCase.SessionKey:
                throw StatusMapping.Unimplemented("user.session_key", whole);
            case UserState.SourceOneofCase.SessionToken:
                throw StatusMapping.Unimplemented("user.session_token", whole);
            case UserState.SourceOneofCase.Sequence:
                break;
            default:
                violations.Add(user is null ? "user" : "user.sequence", ViolationReason.Required, "Say whose behaviour it is: give user.sequence with at least one event.");
                return Empty;
        }

        if (user.NewEvents.Count > 0)
            violations.Add("user.new_events", ViolationReason.NotAllowed, "Not beside user.sequence: put them at its end.");
        var events = user.Sequence.Events;
        if (events.Count == 0)
            violations.Add("user.sequence.events", ViolationReason.Required, $"Give 1 to {limits.MaxEvents} events; there are none.");
        if (events.Count > limits.MaxEvents)
            violations.Add("user.sequence.events", ViolationReason.TooMany, $"There are {events.Count} events and at most {limits.MaxEvents} are taken: send the last ones.");
        return events.Count == 0 || events.Count > limits.MaxEvents ? Empty : ReadEvents(events, model, limits, violations);
    }

    /// <summary>Checks one id of the caller's: present, and not too long.</summary>
    /// <returns>Whether it may be looked up.</returns>
    public static bool CheckId(string id, string path, int index, string suffix, RequestLimits limits, Violations violations)
    {
        if (id.Length > 0 && (id.Length * 3 <= limits.MaxIdBytes || Encoding.UTF8.GetByteCount(id) <= limits.MaxIdBytes))
            return true;
        violations.Add(
            $"{path}[{index}]{suffix}",
            id.Length == 0 ? ViolationReason.Required : ViolationReason.TooLong,
            id.Length == 0 ? $"Give an id of 1 to {limits.MaxIdBytes} bytes; it is empty." : $"It has {Encoding.UTF8.GetByteCount(id)} bytes of UTF-8 and at most {limits.MaxIdBytes} are taken.");
        return false;
    }

    private static SequenceInput Empty { get; } = new([], [], [], new SequenceReading());

    private static SequenceInput ReadEvents(RepeatedField<Event> events, ModelHandle model, RequestLimits limits, Violations violations)
    {
        const string path = "user.sequence.events";
        var items = new int[events.Count];
        var kinds = new int[events.Count];
        var known = 0;
        long latest = 0, previous = 0;
        for (var i = 0; i < events.Count; i++)
        {
            var one = events[i];
            var usable = CheckId(one.ItemId, path, i, ".item_id", limits, violations);
            var behavior = 0;
            if (one.Behavior.Length > 0 && !model.Behaviors.TryGetValue(one.Behavior, out behavior))
                violations.Add($"{path}[{i}].behavior", ViolationReason.UnknownName, $"The model does not know {Violations.Quote(one.Behavior)}; it knows {Violations.Choices(model.Manifest.Behaviors)}.");
            if (one.HasValue && !double.IsFinite(one.Value))
                violations.Add($"{path}[{i}].value", ViolationReason.NotFinite, $"It is {one.Value}; give a finite number, or leave it out.");
            var context = one.Context is null ? null : ContextMapping.Read(one.Context, $"{path}[{i}].context", model.EventContextNames, "events", limits, violations);
            // 0 means unknown, and says nothing about the order.
            if (one.TimestampMs != 0)
            {
                if (latest != 0 && one.TimestampMs < latest)
                    violations.Add($"{path}[{i}].timestamp_ms", ViolationReason.OutOfOrder, $"It is {one.TimestampMs}, before {latest} of an earlier event: give the events oldest first.");
                else
                    latest = one.TimestampMs;
            }

            if (!usable || !model.Items.TryGetDenseId(one.ItemId, out var item))
                continue;
            items[known] = item;
            kinds[known++] = model.Kinds.Of(behavior, new EventValues(previous, one.TimestampMs, one.HasValue ? one.Value : double.NaN, context));
            previous = one.TimestampMs;
        }

        var read = Math.Min(known, model.Manifest.MaxSequenceLength);
        var reading = new SequenceReading { EventsUsed = read, UnknownEvents = events.Count - known, TruncatedEvents = known - read };
        return new SequenceInput(items[(known - read)..known], kinds[(known - read)..known], known == items.Length ? items : items[..known], reading);
    }
}
