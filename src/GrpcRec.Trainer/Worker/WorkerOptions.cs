namespace GrpcRec.Trainer.Worker;

/// <summary>What the server tells the worker that it starts.</summary>
sealed record WorkerOptions
{
    public required string SocketPath { get; init; }
    public required int ParentProcessId { get; init; }
    public required string CheckpointDirectory { get; init; }
    public required string ModelsDirectory { get; init; }
    public required string ModelVersion { get; init; }
    public required string DataRoot { get; init; }
}
