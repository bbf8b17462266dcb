using GrpcRec.V1;

namespace GrpcRec.Server.Telemetry;

/// <summary>What the server says about training jobs.</summary>
public static partial class Log
{
    [LoggerMessage(100, LogLevel.Information, "Training {Id} of {Model} waits for its turn")]
    public static partial void TrainingQueued(this ILogger log, string id, string model);

    [LoggerMessage(101, LogLevel.Information, "Training {Id} of {Model} ended: {State} {Error}")]
    public static partial void TrainingEnded(this ILogger log, string id, string model, TrainingState state, string error);

    [LoggerMessage(102, LogLevel.Information, "Training {Id}: worker {Pid} started, attempt {Attempt}")]
    public static partial void WorkerStarted(this ILogger log, string id, int pid, int attempt);

    [LoggerMessage(103, LogLevel.Error, "Training {Id}: the worker could not be started")]
    public static partial void WorkerNotStarted(this ILogger log, string id, Exception exception);

    [LoggerMessage(104, LogLevel.Warning, "Training {Id}: the worker died. Its last output:\n{Output}")]
    public static partial void WorkerDied(this ILogger log, string id, Exception exception, string output);

    [LoggerMessage(105, LogLevel.Warning, "Training {Id}: the worker is started again in {Wait}, because {Reason}")]
    public static partial void WorkerRestarts(this ILogger log, string id, string reason, TimeSpan wait);

    [LoggerMessage(106, LogLevel.Warning, "{Reason}")]
    public static partial void TrainerMissing(this ILogger log, string reason);

    [LoggerMessage(107, LogLevel.Warning, "The training in {Folder} cannot be read and is left out: {Reason}")]
    public static partial void JobUnreadable(this ILogger log, string folder, string reason);

    [LoggerMessage(108, LogLevel.Warning, "Ending worker {Pid}, which an earlier server left behind")]
    public static partial void OrphanEnded(this ILogger log, int pid);

    [LoggerMessage(109, LogLevel.Error, "Training {Id}: the server's supervision failed")]
    public static partial void TrainingFaulted(this ILogger log, string id, Exception exception);

    [LoggerMessage(110, LogLevel.Warning, "Training {Id}: its state could not be written to disk")]
    public static partial void TrainingNotSaved(this ILogger log, string id, Exception exception);

    [LoggerMessage(111, LogLevel.Information, "Evaluating {Model} {Version}: worker {Pid} started")]
    public static partial void EvaluationStarted(this ILogger log, string model, string version, int pid);

    [LoggerMessage(112, LogLevel.Warning, "Evaluating {Model} {Version}: the worker died. Its last output:\n{Output}")]
    public static partial void EvaluationDied(this ILogger log, string model, string version, Exception? exception, string output);

    [LoggerMessage(113, LogLevel.Error, "The evaluation's worker could not be started")]
    public static partial void EvaluationNotStarted(this ILogger log, Exception exception);
}
