namespace GrpcRec.Training.MultiTask;

/// <summary>A task asks for what the data cannot give, or contradicts itself. The message is for the person who wrote the task.</summary>
public sealed class TaskDefinitionException : ArgumentException
{
    public TaskDefinitionException(string taskName, string message)
        : base($"Task \"{taskName}\": {message}") => TaskName = taskName;

    /// <summary>The task at fault.</summary>
    public string TaskName { get; }
}
