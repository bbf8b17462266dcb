namespace GrpcRec.Engine.Steps;

/// <summary>An engine cannot run this model as asked. The message is for a person.</summary>
public sealed class EngineException : Exception
{
    public EngineException()
    {
    }

    public EngineException(string message)
        : base(message)
    {
    }

    public EngineException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
