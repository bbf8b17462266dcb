namespace GrpcRec.Training.Evaluation;

/// <summary>A model cannot be judged on this data; the message says why, for a person.</summary>
public sealed class EvaluationException : Exception
{
    public EvaluationException()
    {
    }

    public EvaluationException(string message)
        : base(message)
    {
    }

    public EvaluationException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
