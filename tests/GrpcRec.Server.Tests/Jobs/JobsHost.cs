using GrpcRec.Server.Jobs;
using GrpcRec.V1;
using Microsoft.Extensions.Logging.Abstractions;

namespace GrpcRec.Server.Tests.Jobs;

/// <summary>Training jobs without a server around them, over a folder of their own.</summary>
sealed class JobsHost : IAsyncDisposable
{
    /// <summary>Longest that any wait here takes when all is well, on a machine that does other things too.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly bool _ownsFolder;

    JobsHost(string folder, bool ownsFolder, TrainingJobsOptions options, TrainingJobs jobs)
    {
        (Folder, _ownsFolder, Options, Jobs) = (folder, ownsFolder, options, jobs);
    }

    public string Folder { get; }
    public TrainingJobsOptions Options { get; }
    public TrainingJobs Jobs { get; }
    public JobStoreReader Store => new(Options.StateDirectory);

    /// <param name="worker">Lines of a shell script that stands for a worker in some kind of trouble.</param>
    /// <param name="folder">An earlier host's, to go on from.</param>
    public static async Task<JobsHost> StartAsync(string worker, Func<TrainingJobsOptions, TrainingJobsOptions>? change = null, string? folder = null)
    {
        var root = folder ?? Directory.CreateTempSubdirectory("grpcrec-jobs-").FullName;
        var options = new TrainingJobsOptions
        {
            StateDirectory = Path.Combine(root, "state"),
            DataRoot = root,
            ModelsRoot = Path.Combine(root, "models"),
            TrainerPath = TroubledWorker.Write(root, worker),
            RestartBackoff = TimeSpan.FromMilliseconds(10),
            MemoryCheckInterval = TimeSpan.FromMilliseconds(20),
            WorkerExitTimeout = TimeSpan.FromMilliseconds(200),
        };
        options = change?.Invoke(options) ?? options;
        var supervisor = new TrainerSupervisor(options, TimeProvider.System, NullLogger<TrainerSupervisor>.Instance);
        var jobs = new TrainingJobs(options, supervisor, (_, _, _) => Task.FromResult<string?>(null), TimeProvider.System, NullLogger<TrainingJobs>.Instance);
        await jobs.StartAsync(CancellationToken.None);
        return new(root, folder is null, options, jobs);
    }

    public TrainingJob Submit()
    {
        var outcome = Jobs.Submit(Request());
        Assert.Null(outcome.Rejection);
        return outcome.Value!;
    }

    public static TrainRequest Request() => new() { ModelName = "m", Data = new() { Path = "events.csv" } };

    public static async Task<Training> EndOf(TrainingJob job) => await Until(job, training => TrainingJob.IsEnd(training.State));

    /// <summary>The first state that is as wanted.</summary>
    public static async Task<Training> Until(TrainingJob job, Func<Training, bool> wanted)
    {
        using var patience = new CancellationTokenSource(Patience);
        await foreach (var training in job.ReadAsync(patience.Token))
            if (wanted(training)) return training;
        throw new InvalidOperationException($"The job ended otherwise: {job.Current}");
    }

    /// <summary>The worker that is at the job, as it stands on disk.</summary>
    public async Task<ProcessIdentity> WorkerOf(TrainingJob job, int notPid = 0)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            if (Store.WorkerOf(job.Id) is { } worker && worker.Pid != notPid) return worker;
            await Task.Delay(20, patience.Token);
        }
    }

    /// <summary>Stops as a server does.</summary>
    public async Task StopAsync()
    {
        await Jobs.StopAsync(CancellationToken.None);
        Jobs.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        if (_ownsFolder) Directory.Delete(Folder, recursive: true);
    }
}
