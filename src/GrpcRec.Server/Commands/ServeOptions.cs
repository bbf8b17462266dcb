using System.CommandLine;
using System.Globalization;
using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Server.Commands;

/// <summary>
/// The options of a server on a command line, each also to be had from the environment: <c>--queue-capacity</c> is GRPCREC_QUEUE_CAPACITY.
/// The command line wins. Shared by every command that starts a server.
/// </summary>
public sealed class ServeOptions
{
    public const string EnvironmentPrefix = "GRPCREC_";

    private static readonly ServerOptions Defaults = new();

    public Option<string[]> Listen { get; } = new("--listen")
    {
        Description = $"Address: http://HOST:PORT, https://HOST:PORT or unix:/PATH.sock. May be given several times (in the environment: separated by commas). On a Unix socket clients must send the authority \"localhost\" and not the path (grpcurl: -authority localhost; gRPC libraries: the channel argument grpc.default_authority). Default {ServerOptions.DefaultListen}.",
    };

    public Option<string> TlsCert { get; } = new("--tls-cert") { Description = "Certificate for https: a PEM chain, or a .pfx file (its password in GRPCREC_TLS_PASSWORD)." };
    public Option<string> TlsKey { get; } = new("--tls-key") { Description = "PEM private key of --tls-cert." };
    public Option<string> SocketMode { get; } = new("--socket-mode") { Description = "Permissions of Unix sockets, octal. Default 0660." };
    public Option<string> Models { get; } = new("--models") { Description = "Directory of model versions. Default ./models." };
    public Option<string> DataRoot { get; } = new("--data-root") { Description = "Training reads files under this directory only. Default ./data if there is one, else the current directory." };
    public Option<string> State { get; } = new("--state") { Description = "Directory of training jobs. Default ./state." };
    public Option<string> DefaultModel { get; } = new("--default-model") { Description = "Model that answers requests which name none. Default: the only one." };
    public Option<string> Reflection { get; } = new("--reflection") { Description = "on or off: tell tools such as grpcurl the contract. Default on." };
    public Option<string> Engine { get; } = new("--engine") { Description = "auto, cpu, cuda or scalar. auto: an NVIDIA device for models that it runs, where there is one. Default auto." };
    public Option<string> CudaDevice { get; } = new("--cuda-device") { Description = "Number of the NVIDIA device, from 0. Default 0." };
    public Option<string> CudaDriver { get; } = new("--cuda-driver") { Description = "The CUDA driver's file. Default: libcuda.so.1 as the system finds it." };
    public Option<string> CudaKernels { get; } = new("--cuda-kernels") { Description = $"The kernels' fat binary. Default: {CudaOptions.KernelsFile} beside the program." };
    public Option<string> CudaMemory { get; } = new("--cuda-memory") { Description = "Device memory for each model version, bytes. Default: nine tenths of what is free when it is loaded." };
    public Option<string> CudaProducts { get; } = new("--cuda-product") { Description = "auto, float16, bfloat16 or float32: elements of the recurrent products. Default auto: float16, or bfloat16 for a model in bf16." };
    public Option<string> OnDeviceLoss { get; } = new("--on-device-loss") { Description = "reinitialize, cpu or fail: what follows when the device is lost. Requests in flight get UNAVAILABLE in any case. Default reinitialize." };
    public Option<string> Threads { get; } = new("--threads") { Description = "Threads that run the models, all of them together. Default: one for each processor." };
    public Option<string> Slots { get; } = new("--slots") { Description = $"Sequences that a model reads at the same time. Default {Defaults.Slots}." };
    public Option<string> MaxBatch { get; } = new("--max-batch") { Description = $"Sequences stepped together on a thread at most. Default {Defaults.MaxBatchSize}." };
    public Option<string> ChunkEvents { get; } = new("--chunk-events") { Description = $"Events that a thread reads before it looks for newcomers. Default {Defaults.ChunkEvents}." };
    public Option<string> QueueCapacity { get; } = new("--queue-capacity") { Description = $"Requests that may wait for a model before further ones are refused. Default {Defaults.QueueCapacity}." };
    public Option<string> MaxMessageBytes { get; } = new("--max-message-bytes") { Description = $"Largest message received or sent. Default {Defaults.MaxMessageBytes}." };
    public Option<string> MaxEvents { get; } = new("--max-events") { Description = $"Events that one request may carry. Default {Defaults.Limits.MaxEvents}." };
    public Option<string> MaxCandidates { get; } = new("--max-candidates") { Description = $"Candidates that one request may name. Default {Defaults.Limits.MaxCandidates}." };
    public Option<string> MaxK { get; } = new("--max-k") { Description = $"Largest k of a ranking. Default {Defaults.Limits.MaxK}." };
    public Option<string> MaxBlocked { get; } = new("--max-blocked") { Description = $"Blocked items that one request may name. Default {Defaults.Limits.MaxBlocked}." };
    public Option<string> MaxIdBytes { get; } = new("--max-id-bytes") { Description = $"UTF-8 bytes of an id or a name. Default {Defaults.Limits.MaxIdBytes}." };
    public Option<string> MaxTasks { get; } = new("--max-tasks") { Description = $"Tasks or weights of an objective that one request may name. Default {Defaults.Limits.MaxTasks}." };
    public Option<string> Trainer { get; } = new("--trainer") { Description = "The training worker's program (grpcrec-trainer). Default: looked for beside this one." };
    public Option<string> TrainerMemory { get; } = new("--trainer-memory") { Description = "Memory past which a training worker is ended, bytes. Default 8589934592 (8 GiB)." };
    public Option<string> LogLevel { get; } = new("--log-level") { Description = "trace, debug, information, warning, error or critical. Default information." };

    public void AddTo(Command command)
    {
        Option[] all =
        [
            Listen, TlsCert, TlsKey, SocketMode, Models, DataRoot, State, DefaultModel, Reflection,
            Engine, CudaDevice, CudaDriver, CudaKernels, CudaMemory, CudaProducts, OnDeviceLoss, Threads, Slots, MaxBatch, ChunkEvents, QueueCapacity, MaxMessageBytes,
            MaxEvents, MaxCandidates, MaxK, MaxBlocked, MaxIdBytes, MaxTasks,
            Trainer, TrainerMemory, LogLevel,
        ];
        foreach (var option in all)
            command.Options.Add(option);
    }

    /// <param name="configuration">The environment without its prefix; keys such as QUEUE_CAPACITY.</param>
    /// <exception cref="ServerOptionsException">A value cannot be read; the message names the option.</exception>
    public ServerOptions Read(ParseResult parsed, IConfiguration configuration)
    {
        string? Text(Option<string> option) => parsed.GetValue(option) ?? Environment(option, configuration);

        var listen = parsed.GetValue(Listen) is { Length: > 0 } given
            ? given
            : Environment(Listen, configuration)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return new ServerOptions
        {
            Listen = listen is { Length: > 0 } ? listen : Defaults.Listen,
            TlsCertificate = Text(TlsCert),
            TlsKey = Text(TlsKey),
            TlsPassword = configuration["TLS_PASSWORD"],
            SocketMode = Text(SocketMode) is { } mode ? ReadMode(mode) : Defaults.SocketMode,
            ModelsDirectory = Text(Models) ?? Defaults.ModelsDirectory,
            DataRoot = Text(DataRoot) ?? Defaults.DataRoot,
            StateDirectory = Text(State) ?? Defaults.StateDirectory,
            DefaultModel = Text(DefaultModel),
            Reflection = Text(Reflection) is not { } reflection || ReadSwitch(Reflection, reflection),
            Engine = Text(Engine) is { } engine ? ReadEnum<EngineKind>(Engine, engine) : Defaults.Engine,
            Cuda = Defaults.Cuda with
            {
                Device = ReadNumber(CudaDevice, Text(CudaDevice), Defaults.Cuda.Device),
                Driver = Text(CudaDriver),
                Kernels = Text(CudaKernels),
                MemoryBudgetBytes = ReadNumber(CudaMemory, Text(CudaMemory), Defaults.Cuda.MemoryBudgetBytes),
                Product = Text(CudaProducts) is { } product ? ReadEnum<CudaProduct>(CudaProducts, product) : Defaults.Cuda.Product,
                OnLoss = Text(OnDeviceLoss) is { } loss ? ReadEnum<DeviceLossAction>(OnDeviceLoss, loss) : Defaults.Cuda.OnLoss,
            },
            Threads = ReadNumber(Threads, Text(Threads), Defaults.Threads),
            Slots = ReadNumber(Slots, Text(Slots), Defaults.Slots),
            MaxBatchSize = ReadNumber(MaxBatch, Text(MaxBatch), Defaults.MaxBatchSize),
            ChunkEvents = ReadNumber(ChunkEvents, Text(ChunkEvents), Defaults.ChunkEvents),
            QueueCapacity = ReadNumber(QueueCapacity, Text(QueueCapacity), Defaults.QueueCapacity),
            MaxMessageBytes = ReadNumber(MaxMessageBytes, Text(MaxMessageBytes), Defaults.MaxMessageBytes),
            Limits = Defaults.Limits with
            {
                MaxEvents = ReadNumber(MaxEvents, Text(MaxEvents), Defaults.Limits.MaxEvents),
                MaxCandidates = ReadNumber(MaxCandidates, Text(MaxCandidates), Defaults.Limits.MaxCandidates),
                MaxK = ReadNumber(MaxK, Text(MaxK), Defaults.Limits.MaxK),
                MaxBlocked = ReadNumber(MaxBlocked, Text(MaxBlocked), Defaults.Limits.MaxBlocked),
                MaxIdBytes = ReadNumber(MaxIdBytes, Text(MaxIdBytes), Defaults.Limits.MaxIdBytes),
                MaxTasks = ReadNumber(MaxTasks, Text(MaxTasks), Defaults.Limits.MaxTasks),
            },
            Trainer = Text(Trainer),
            TrainerMemoryBytes = ReadNumber(TrainerMemory, Text(TrainerMemory), Defaults.TrainerMemoryBytes),
            LogLevel = Text(LogLevel) is { } level ? ReadEnum<LogLevel>(LogLevel, level) : Defaults.LogLevel,
        };
    }

    private static string? Environment(Option option, IConfiguration configuration) =>
        configuration[option.Name.TrimStart('-').Replace('-', '_').ToUpperInvariant()] is { Length: > 0 } text ? text : null;

    private static T ReadNumber<T>(Option option, string? text, T absent)
        where T : System.Numerics.INumber<T> =>
        text is null ? absent
        : T.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : throw new ServerOptionsException($"{option.Name}: \"{text}\" is not a whole number that fits.");

    private static T ReadEnum<T>(Option option, string text)
        where T : struct, Enum =>
        Enum.TryParse<T>(text, ignoreCase: true, out var value) && Enum.IsDefined(value) && !char.IsAsciiDigit(text[0])
            ? value
            : throw new ServerOptionsException($"{option.Name}: \"{text}\" is none of {string.Join(", ", Enum.GetNames<T>()).ToLowerInvariant()}.");

    private static bool ReadSwitch(Option option, string text) => text switch
    {
        "on" => true,
        "off" => false,
        _ => throw new ServerOptionsException($"{option.Name}: \"{text}\" is neither on nor off."),
    };

    private static UnixFileMode ReadMode(string text)
    {
        if (text.Length is < 3 or > 4 || text.Any(c => c is < '0' or > '7'))
            throw new ServerOptionsException($"--socket-mode: \"{text}\" is not an octal mode such as 0660.");
        return (UnixFileMode)(Convert.ToInt32(text, 8) & 0b111_111_111);
    }
}
