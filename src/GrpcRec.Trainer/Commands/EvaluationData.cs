using Google.Protobuf;
using GrpcRec.Protocol;
using GrpcRec.Trainer.Benchmarks;
using GrpcRec.Trainer.Display;
using GrpcRec.Trainer.Mapping;
using GrpcRec.Trainer.Worker;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Events;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using GrpcRec.V1;

namespace GrpcRec.Trainer.Commands;

/// <summary>What a finished model is measured on: the data, split, and the labels of its tasks.</summary>
sealed record EvaluationData(SequenceDataset Dataset, IReadOnlyList<TaskDefinition> Tasks, EvaluationPlan Plan)
{
    /// <summary>A request is a few kilobytes; a larger file is another one.</summary>
    private const long MaxRequestFileBytes = 1L << 20;

    /// <param name="dataRoot">Directory of the data sets.</param>
    public static EvaluationData OfBenchmark(string name, string dataRoot)
    {
        var preset = BenchmarkPreset.All.First(candidate => candidate.Name == name);
        return new(BenchmarkData.Load(name, dataRoot), preset.Tasks, preset.Evaluation);
    }

    /// <summary>Events as <c>train</c> takes them.</summary>
    /// <param name="requestFile">A TrainRequest as JSON; null: its defaults.</param>
    /// <param name="dataFile">Events in place of the request's; null: the request's, relative to its own file.</param>
    /// <param name="tasks">In place of the request's, NAME=WHAT; empty: the request's.</param>
    /// <exception cref="TrainRequestException">A file is missing or not what it should be.</exception>
    public static EvaluationData OfEvents(string? requestFile, string? dataFile, IReadOnlyList<string> tasks, CancellationToken cancellation)
    {
        var (plan, dataset) = ToTrain(requestFile, dataFile, tasks, cancellation);
        return new(dataset, plan.Tasks, plan.Evaluation);
    }

    /// <summary>The same with all else that the request says of a training.</summary>
    /// <inheritdoc cref="OfEvents"/>
    public static (TrainingPlan Plan, SequenceDataset Dataset) ToTrain(string? requestFile, string? dataFile, IReadOnlyList<string> tasks, CancellationToken cancellation)
    {
        var request = requestFile is null ? new TrainRequest() : Read(requestFile);
        var root = Path.GetDirectoryName(Path.GetFullPath(requestFile ?? dataFile ?? "."))!;
        request.Data ??= new();
        if (dataFile is not null)
        {
            root = Path.GetDirectoryName(Path.GetFullPath(dataFile))!;
            request.Data.Path = Path.GetFileName(dataFile);
        }

        if (request.Data.Path.Length == 0)
            throw new TrainRequestException("the request names no data.path; give --data FILE.");
        if (tasks.Count > 0)
        {
            request.Tasks.Clear();
            try
            {
                request.Tasks.Add(tasks.Select(TaskFlags.Parse));
            }
            catch (FormatException fault)
            {
                throw new TrainRequestException(fault.Message);
            }
        }

        var plan = PlanMapping.FromWire(request, "unused");
        var (dataset, _) = TrainingDisplay.Count("rows read", progress => EventImporter.Import(
            EventFileMapping.FromWire(request.Data, root), EventFileMapping.CleaningFromWire(request.Data.Cleaning), progress, cancellation));
        return (plan, SplitMapping.Apply(request.Split, dataset));
    }

    private static TrainRequest Read(string file)
    {
        var info = new FileInfo(file);
        if (!info.Exists)
            throw new TrainRequestException($"--request: there is no file {file}.");
        if (info.Length > MaxRequestFileBytes)
            throw new TrainRequestException($"--request: {file} has {info.Length:N0} bytes; at most {MaxRequestFileBytes:N0}.");
        try
        {
            return JsonParser.Default.Parse<TrainRequest>(File.ReadAllText(file));
        }
        catch (Exception fault) when (fault is InvalidProtocolBufferException or InvalidJsonException)
        {
            throw new TrainRequestException($"--request: {file} is no TrainRequest in JSON: {fault.Message}");
        }
    }
}
