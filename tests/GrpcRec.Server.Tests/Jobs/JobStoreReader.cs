using System.Text.Json;
using GrpcRec.Server.Jobs;

namespace GrpcRec.Server.Tests.Jobs;

/// <summary>Reads job.json as an operator would, beside the server that writes it.</summary>
sealed class JobStoreReader(string stateDirectory)
{
    public string PathOf(string id) => Path.Combine(stateDirectory, "jobs", id, "job.json");

    public JsonElement Read(string id) => JsonDocument.Parse(File.ReadAllBytes(PathOf(id))).RootElement;

    public string StateOf(string id) => Read(id).GetProperty("training").GetProperty("state").GetString()!;

    public ProcessIdentity? WorkerOf(string id) =>
        Read(id).TryGetProperty("worker", out var worker) ? new(worker.GetProperty("pid").GetInt32(), worker.GetProperty("start_ticks").GetInt64()) : null;
}
