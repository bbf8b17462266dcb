namespace GrpcRec.Training.Learning;

/// <summary>A training run cannot start or go on: the message says what, where and what to do, for a person.</summary>
public sealed class TrainingException : Exception
{
    public TrainingException()
    {
    }

    public TrainingException(string message)
        : base(message)
    {
    }

    public TrainingException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>The plan's field at fault, for example <c>Optimization.BatchSize</c>; null when it is not the plan.</summary>
    public string? Field { get; init; }
}
