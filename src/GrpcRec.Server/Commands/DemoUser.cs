using System.Text.Json.Nodes;
using Google.Protobuf;
using GrpcRec.V1;

namespace GrpcRec.Server.Commands;

/// <summary>One user of an event file, picked to be shown: what they did, and what they really did next.</summary>
/// <param name="History">Oldest first, without the last event.</param>
/// <param name="Next">The last event, which the model has not trained on.</param>
sealed record DemoUser(string Id, IReadOnlyList<Event> History, Event Next)
{
    /// <summary>The worker reads the file, whatever its format: the server knows none.</summary>
    /// <param name="file">Of events, as `grpcrec import` takes them.</param>
    /// <param name="folder">Ours to write in.</param>
    /// <exception cref="ServerOptionsException">The file cannot be read, or has no user with enough events.</exception>
    public static async Task<DemoUser> PickAsync(string file, string folder, CancellationToken cancellation)
    {
        var sample = Path.Combine(folder, "user.json");
        await TrainerCommands.RunInsideAsync(["import", file, "--sample-user", sample], cancellation);
        var picked = JsonNode.Parse(await File.ReadAllTextAsync(sample, cancellation))!;
        var events = JsonParser.Default.Parse<EventSequence>(picked["sequence"]!.ToJsonString()).Events;
        return new(picked["user"]!.GetValue<string>(), [.. events.SkipLast(1)], events[^1]);
    }
}
