namespace GrpcRec.Engine.Steps;

/// <summary>
/// The device that the engine runs on was lost, and the states of its slots with it. Nothing is wrong with what was asked: asked again,
/// of this engine once it is back or of another server, it may succeed. The message is for a person.
/// </summary>
public sealed class EngineLostException : Exception
{
    public EngineLostException()
    {
    }

    public EngineLostException(string message)
        : base(message)
    {
    }

    public EngineLostException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
