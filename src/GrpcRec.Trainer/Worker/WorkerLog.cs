namespace GrpcRec.Trainer.Worker;

/// <summary>Every message that the worker logs.</summary>
static partial class WorkerLog
{
    [LoggerMessage(LogLevel.Information, "{Note}")]
    public static partial void Note(ILogger logger, string note);

    [LoggerMessage(LogLevel.Error, "The job failed by a fault of GrpcRec's own.")]
    public static partial void JobFailed(ILogger logger, Exception fault);
}
