using System.CommandLine;
using Google.Protobuf;
using GrpcRec.Protocol;
using GrpcRec.V1;

namespace GrpcRec.Server.Commands;

/// <summary>The options of <c>grpcrec train</c>. What is not given stays absent in the request, so that its defaults are the contract's.</summary>
sealed class TrainOptions
{
    /// <summary>A request is a few kilobytes; a larger file is another one.</summary>
    const long MaxRequestFileBytes = 1L << 20;

    public Option<FileInfo?> Request { get; } = new("--request") { Description = "A TrainRequest as JSON, for example the train.json that `grpcrec synthesize` writes. Its data.path is relative to this file." };
    public Option<string?> Data { get; } = new("--data") { Description = "File of events (.csv, .tsv, .jsonl, .parquet). With --address: relative to that server's data directory." };
    public Option<string?> Name { get; } = new("--name") { Description = "Name of the model to make: a-z, 0-9, '-', '_', '.'. Default: \"default\"." };
    public Option<string[]> Tasks { get; } = new("--tasks") { Description = $"What to predict, NAME=WHAT, several allowed. Default: next=next_item. Examples: {TaskFlags.Syntax}.", AllowMultipleArgumentsPerToken = true };
    public Option<string[]> Contexts { get; } = new("--context") { Description = "A column of the data to keep as a context, a category that goes with an event or its user; see --event-feature and --request-feature. Repeatable.", AllowMultipleArgumentsPerToken = true };
    public Option<FileInfo?> Settings { get; } = new("--settings") { Description = "Settings by the contract's names over the request's, as JSON; for example best.json of `grpcrec tune`. Other options stand over them." };
    public LearningOptions Learning { get; } = new();
    public NetworkOptions Network { get; } = new();
    public Option<string?> Baseline { get; } = new("--baseline") { Description = "Make this baseline instead of a network: popularity, mf (matrix factorisation), markov-1, item-knn, or rates (of binary --tasks)." };
    public Option<bool> CompareSingleTasks { get; } = new("--compare-single-tasks") { Description = "Also train a model of each task alone, and tell what each gains by the company. Takes as long again for each task." };
    public Option<bool> Activate { get; } = new("--activate") { Description = "Load and activate the new version when it is done." };
    public Option<bool> Json { get; } = new("--json") { Description = "Print the training as one JSON object on standard output." };
    public Option<string> Models { get; } = new("--models") { Description = "Directory of model versions, without --address.", DefaultValueFactory = _ => "models" };
    public Option<string> State { get; } = new("--state") { Description = "Directory of training jobs, without --address.", DefaultValueFactory = _ => "state" };
    public Option<string?> Trainer { get; } = new("--trainer") { Description = "The training worker's program. Default: looked for beside this one." };
    public Option<string?> Address { get; } = ServerChannel.AddressOption();
    public Option<FileInfo?> Authority { get; } = ServerChannel.AuthorityOption();

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[Request, Data, Name, Tasks, Contexts, Settings, .. Learning.All, .. Network.All, Baseline, CompareSingleTasks, Activate, Json, Models, State, Trainer, Address, Authority])
            command.Options.Add(option);
    }

    public ServerOptions ServerOptions(ParseResult parsed, string dataRoot) => new()
    {
        ModelsDirectory = parsed.GetRequiredValue(Models),
        StateDirectory = parsed.GetRequiredValue(State),
        DataRoot = dataRoot,
        Trainer = parsed.GetValue(Trainer),
        LogLevel = LogLevel.Warning,
    };

    /// <param name="remote">The data lies at a server, and not here.</param>
    /// <returns>The request, and the directory that its data.path is relative to.</returns>
    /// <exception cref="ServerOptionsException">The options do not make a request.</exception>
    public async Task<(TrainRequest Request, string DataRoot)> ReadAsync(ParseResult parsed, bool remote, CancellationToken cancellation)
    {
        var request = new TrainRequest();
        var dataRoot = ".";
        if (parsed.GetValue(Request) is { } file)
        {
            if (!file.Exists) throw new ServerOptionsException($"--request: there is no file {file}.");
            if (file.Length > MaxRequestFileBytes) throw new ServerOptionsException($"--request: {file} has {file.Length:N0} bytes; at most {MaxRequestFileBytes:N0}.");
            request = JsonParser.Default.Parse<TrainRequest>(await File.ReadAllTextAsync(file.FullName, cancellation));
            dataRoot = file.DirectoryName!;
        }
        else if (parsed.GetValue(Data) is null)
        {
            throw new ServerOptionsException("train: give --data FILE, or a whole request with --request FILE.");
        }

        if (parsed.GetValue(Data) is { } data)
        {
            request.Data ??= new();
            request.Data.Path = remote ? data : Path.GetFileName(data);
            if (!remote) dataRoot = Path.GetDirectoryName(Path.GetFullPath(data))!;
        }
        Override(request, parsed);
        return (request, dataRoot);
    }

    void Override(TrainRequest request, ParseResult parsed)
    {
        if (parsed.GetValue(Name) is { } name) request.ModelName = name;
        else if (request.ModelName.Length == 0) request.ModelName = "default";
        try
        {
            if (parsed.GetValue(Tasks) is { Length: > 0 } tasks)
            {
                request.Tasks.Clear();
                request.Tasks.Add(tasks.Select(TaskFlags.Parse));
            }
            if (parsed.GetValue(Settings) is { } file)
            {
                if (!file.Exists) throw new ServerOptionsException($"--settings: there is no file {file}.");
                if (file.Length > MaxRequestFileBytes) throw new ServerOptionsException($"--settings: {file} has {file.Length:N0} bytes; at most {MaxRequestFileBytes:N0}.");
                RequestSettings.Parse(RequestSettings.ReadFile(file.FullName)).ApplyTo(request);
            }
        }
        catch (FormatException fault)
        {
            throw new ServerOptionsException(fault.Message);
        }
        if (parsed.GetValue(Contexts) is { Length: > 0 } contexts)
        {
            var columns = (request.Data ??= new()).Columns ??= new();
            columns.Contexts.Clear();
            columns.Contexts.Add(contexts);
        }
        Learning.Override(request.Hyperparameters ??= new(), parsed);
        Network.Override(request.Architecture ??= new(), parsed);
        if (parsed.GetValue(Baseline) is { } baseline) request.Baseline = baseline;
        if (parsed.GetValue(CompareSingleTasks)) request.CompareSingleTasks = true;
        if (parsed.GetValue(Activate)) request.Activate = true;
    }
}
