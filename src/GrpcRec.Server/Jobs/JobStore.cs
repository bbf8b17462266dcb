using System.Text.Json;
using Google.Protobuf;
using GrpcRec.V1;

namespace GrpcRec.Server.Jobs;

/// <summary>What is kept of a job on disk.</summary>
/// <param name="Worker">The worker at it, so that a server that starts after a crash can end an orphan; null when there is none.</param>
public sealed record JobRecord(TrainRequest Request, Training Training, ProcessIdentity? Worker);

/// <summary>Jobs on disk: root/id/job.json, written to a temporary file, flushed and renamed, so that a reader sees the old or the new one whole.</summary>
public sealed class JobStore : IDisposable
{
    const int FormatVersion = 1;
    const string RecordFile = "job.json";

    /// <summary>A record holds a request, a snapshot and a few sampled rows; more is not ours.</summary>
    const long MaxRecordBytes = 8L << 20;

    static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default);
    static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    readonly string _root;
    readonly FileStream _lock;

    /// <exception cref="ServerOptionsException">Another server uses this directory, or it cannot be written to.</exception>
    public JobStore(string stateDirectory)
    {
        _root = Path.Combine(Path.GetFullPath(stateDirectory), "jobs");
        try
        {
            Directory.CreateDirectory(_root);
            // Held while the server lives; the kernel lets go of it when the process dies, however that happens.
            _lock = new FileStream(Path.Combine(_root, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new ServerOptionsException($"Another server uses the state directory '{stateDirectory}'. Give this one its own with --state.");
        }
        catch (UnauthorizedAccessException)
        {
            throw new ServerOptionsException($"The state directory '{stateDirectory}' cannot be written to. Give another with --state.");
        }
    }

    public string DirectoryOf(string id) => Path.Combine(_root, id);

    /// <summary>For the worker's checkpoints; removed when the job ends.</summary>
    public string WorkDirectoryOf(string id) => Path.Combine(_root, id, "work");

    public string LogPathOf(string id) => Path.Combine(_root, id, "worker.log");

    public void Write(JobRecord record)
    {
        var folder = DirectoryOf(record.Training.TrainingId);
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, RecordFile);
        var temporary = path + ".tmp";
        using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
            {
                json.WriteStartObject();
                json.WriteNumber("format", FormatVersion);
                json.WritePropertyName("request");
                json.WriteRawValue(Formatter.Format(record.Request));
                json.WritePropertyName("training");
                json.WriteRawValue(Formatter.Format(record.Training));
                if (record.Worker is { } worker)
                {
                    json.WriteStartObject("worker");
                    json.WriteNumber("pid", worker.Pid);
                    json.WriteNumber("start_ticks", worker.StartTicks);
                    json.WriteEndObject();
                }
                json.WriteEndObject();
            }
            stream.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Every job that can be read, oldest first; the folders that cannot be, with the reason.</summary>
    public (IReadOnlyList<JobRecord> Jobs, IReadOnlyList<(string Folder, string Reason)> Unreadable) ReadAll()
    {
        var jobs = new List<JobRecord>();
        var unreadable = new List<(string, string)>();
        foreach (var folder in Directory.EnumerateDirectories(_root).Order(StringComparer.Ordinal))
        {
            try
            {
                jobs.Add(Read(folder));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidProtocolBufferException or InvalidOperationException or KeyNotFoundException or FormatException)
            {
                unreadable.Add((folder, e.Message));
            }
        }
        return (jobs, unreadable);
    }

    static JobRecord Read(string folder)
    {
        var path = Path.Combine(folder, RecordFile);
        if (new FileInfo(path).Length > MaxRecordBytes) throw new InvalidOperationException($"{RecordFile} is larger than {MaxRecordBytes} bytes.");
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        var root = document.RootElement;
        if (root.GetProperty("format").GetInt32() != FormatVersion) throw new InvalidOperationException($"{RecordFile} is of another format than {FormatVersion}.");
        var training = Parser.Parse<Training>(root.GetProperty("training").GetRawText());
        if (training.TrainingId != Path.GetFileName(folder)) throw new InvalidOperationException($"{RecordFile} is of another training than its folder.");
        ProcessIdentity? worker = root.TryGetProperty("worker", out var w) ? new(w.GetProperty("pid").GetInt32(), w.GetProperty("start_ticks").GetInt64()) : null;
        return new(Parser.Parse<TrainRequest>(root.GetProperty("request").GetRawText()), training, worker);
    }

    public void DeleteWork(string id) => Delete(WorkDirectoryOf(id));

    public void Delete(TrainingJob job) => Delete(DirectoryOf(job.Id));

    static void Delete(string folder)
    {
        try
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Left for the next start; nothing reads it.
        }
    }

    public void Dispose() => _lock.Dispose();
}
