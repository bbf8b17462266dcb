using System.ComponentModel.DataAnnotations;

namespace GrpcRec.Serving.Batching;

public sealed record ComputePoolOptions
{
    public const int MaxThreads = 256;

    /// <summary>
    /// Worker threads, for all models together. As many as the machine has processors: an engine's thread is never idle while it has work,
    /// so a further one would only take turns with it.
    /// </summary>
    [Range(1, MaxThreads)] public int Threads { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, MaxThreads);
}
