namespace GrpcRec.Training.Events;

/// <summary>A file that cannot be imported, or rules that cannot hold. The message is for a person: it says what to change.</summary>
public sealed class ImportException : Exception
{
    public ImportException(string message, ImportReport? report = null)
        : base(message) => Report = report;

    public ImportException(string message, Exception cause)
        : base(message, cause)
    {
    }

    /// <summary>What had been read, when it came so far.</summary>
    public ImportReport? Report { get; }
}
