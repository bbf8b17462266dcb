using System.ComponentModel.DataAnnotations;
using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Batching;

namespace GrpcRec.Server;

/// <summary>All that the server is told at its start: what is written, not what is in use.</summary>
public sealed record ServerOptions
{
    public const string DefaultListen = "http://127.0.0.1:50051";

    /// <summary>
    /// Addresses: <c>http://host:port</c> (HTTP/2 without TLS), <c>https://host:port</c>, <c>unix:/path.sock</c>. Port 0: any free one.
    /// Loopback by default, because callers are not authenticated yet.
    /// </summary>
    [MinLength(1), MaxLength(16)] public IReadOnlyList<string> Listen { get; init; } = [DefaultListen];

    /// <summary>PEM file of the certificate chain, or a PKCS#12 file (.pfx, .p12). Needed by https addresses.</summary>
    public string? TlsCertificate { get; init; }

    /// <summary>PEM file of the private key. Not with a PKCS#12 file.</summary>
    public string? TlsKey { get; init; }

    /// <summary>Of a PKCS#12 file. From the environment (GRPCREC_TLS_PASSWORD) only: a command line is seen by every process.</summary>
    public string? TlsPassword { get; init; }

    /// <summary>Permissions of Unix sockets: group members may call by default, for a proxy that runs as another user.</summary>
    public UnixFileMode SocketMode { get; init; } =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    /// <summary>Model versions live in <c>{name}/{version}/</c> under it. Made when absent.</summary>
    [Required] public string ModelsDirectory { get; init; } = "models";

    /// <summary>Training reads files under it and nowhere else.</summary>
    [Required] public string DataRoot { get; init; } = Directory.Exists("data") ? "data" : ".";

    /// <summary>Training jobs and what else outlives a restart.</summary>
    [Required] public string StateDirectory { get; init; } = "state";

    /// <summary>Answers requests that name no model. Null: the only one.</summary>
    public string? DefaultModel { get; init; }

    /// <summary>Whether the server tells its contract to tools such as grpcurl.</summary>
    public bool Reflection { get; init; } = true;

    /// <summary>Which engine runs the models. Auto: the fastest that this machine has.</summary>
    public EngineKind Engine { get; init; } = EngineKind.Auto;

    /// <summary>Of the CUDA engine.</summary>
    public CudaOptions Cuda { get; init; } = new();

    /// <summary>Threads that run the models, all of them together. As many as there are processors, unless something else needs some.</summary>
    [Range(1, ComputePoolOptions.MaxThreads)] public int Threads { get; init; } = new ComputePoolOptions().Threads;

    /// <summary>Sequences that one model version reads at the same time, on all threads; each costs a hidden state.</summary>
    [Range(1, 1_000_000)] public int Slots { get; init; } = 1_024;

    /// <summary>Sequences stepped together on a thread at most.</summary>
    [Range(1, 4_096)] public int MaxBatchSize { get; init; } = 64;

    /// <summary>Events that a thread reads before it looks for newcomers. Fewer for a very large model, whose events each take long.</summary>
    [Range(1, 65_536)] public int ChunkEvents { get; init; } = new BatchSchedulerOptions().ChunkEvents;

    /// <summary>Requests that wait for a slot, for one model version, before further ones are refused with RESOURCE_EXHAUSTED.</summary>
    [Range(1, 1_000_000)] public int QueueCapacity { get; init; } = 4_096;

    /// <summary>Longest that a request waits for a slot.</summary>
    public TimeSpan MaxQueueDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Largest message received or sent, bytes. gRPC's own default.</summary>
    [Range(1_024, 256 * 1_024 * 1_024)] public int MaxMessageBytes { get; init; } = 4 * 1_024 * 1_024;

    /// <summary>Requests in flight on one connection; further ones wait at the client.</summary>
    [Range(1, 100_000)] public int MaxStreamsPerConnection { get; init; } = 1_000;

    [Range(1, 1_000_000)] public int MaxConnections { get; init; } = 10_000;

    /// <summary>How long a stopping server lets requests end.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(20);

    public RequestLimits Limits { get; init; } = new();

    /// <summary>The training worker's program. Null: looked for beside the server and in the source tree's build output.</summary>
    public string? Trainer { get; init; }

    /// <summary>Resident memory past which a training worker is ended, bytes.</summary>
    [Range(64L * 1_024 * 1_024, long.MaxValue)] public long TrainerMemoryBytes { get; init; } = 8L * 1_024 * 1_024 * 1_024;

    public LogLevel LogLevel { get; init; } = LogLevel.Information;
}
