namespace GrpcRec.Engine.Models;

/// <summary>
/// An artefact is damaged, of another format, or past a limit. The message is for a person: it names the file, the tensor or the field,
/// the value and what to do, and never an absolute path.
/// </summary>
public sealed class ArtifactException : Exception
{
    public ArtifactException()
    {
    }

    public ArtifactException(string message)
        : base(message)
    {
    }

    public ArtifactException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
