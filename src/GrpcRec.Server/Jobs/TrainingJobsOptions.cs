using System.ComponentModel.DataAnnotations;

namespace GrpcRec.Server.Jobs;

/// <summary>What training jobs may use. Every limit has its default's reason beside it.</summary>
public sealed record TrainingJobsOptions
{
    /// <summary>Jobs are kept in the folder "jobs" of this one. One server at a time uses it.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>Requests name event files relative to this directory and cannot leave it.</summary>
    public required string DataRoot { get; init; }

    /// <summary>The registry's root: artefacts go to ModelsRoot/name/version.</summary>
    public required string ModelsRoot { get; init; }

    /// <summary>grpcrec-trainer.dll, its executable, or the folder that holds it. null: see <see cref="TrainerLocator"/>.</summary>
    public string? TrainerPath { get; init; }

    /// <summary>Jobs that wait while one trains. A longer queue would hide hours of waiting behind an accepted request.</summary>
    [Range(0, 1_000)] public int QueueCapacity { get; init; } = 16;

    /// <summary>Ended jobs that are remembered; the oldest go first, with their logs.</summary>
    [Range(1, 100_000)] public int HistoryCapacity { get; init; } = 1_000;

    /// <summary>Callers that may watch one job at the same time.</summary>
    [Range(1, 10_000)] public int WatchersPerJob { get; init; } = 64;

    /// <summary>Resident memory at which a worker is killed, bytes. Leaves room for serving on a 16 GiB machine.</summary>
    [Range(64L << 20, 1L << 42)] public long WorkerMemoryBytes { get; init; } = 8L << 30;

    /// <summary>Further starts of a worker that crashed. Not used for a fault of the request, nor for the memory limit: they would repeat.</summary>
    [Range(0, 10)] public int MaxRestarts { get; init; } = 2;

    /// <summary>Wait before the first restart; each further wait is four times as long.</summary>
    public TimeSpan RestartBackoff { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest from starting a worker to its answering. Loading the native libraries takes seconds from a cold disk.</summary>
    public TimeSpan WorkerStartTimeout { get; init; } = TimeSpan.FromSeconds(90);

    /// <summary>Longest that a worker may take to end after its job has.</summary>
    public TimeSpan WorkerExitTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Size of a job's worker.log past which further output is counted and not written.</summary>
    [Range(1_024, 1L << 32)] public long WorkerLogBytes { get; init; } = 4L << 20;

    /// <summary>Progress is written to job.json at most this often; transitions always are.</summary>
    public TimeSpan ProgressSaveInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How often a worker's memory is read.</summary>
    public TimeSpan MemoryCheckInterval { get; init; } = TimeSpan.FromMilliseconds(250);
}
