using Grpc.Core;
using GrpcRec.Server.Mapping;
using GrpcRec.Server.Telemetry;
using GrpcRec.V1;

namespace GrpcRec.Server.Jobs;

/// <summary>How one job ended.</summary>
public abstract record JobOutcome
{
    /// <param name="Last">The worker's last word, with the metrics.</param>
    public sealed record Succeeded(Training Last) : JobOutcome;
    public sealed record Cancelled : JobOutcome;

    /// <summary>A fault of the request or its data, the memory limit, or a worker that died too often. Trying again would not help.</summary>
    public sealed record Failed(string Reason) : JobOutcome;

    /// <summary>The worker died: worth another try.</summary>
    public sealed record Crashed(string Reason) : JobOutcome;
}

/// <summary>
/// Carries one job through: starts the worker, passes its progress on, watches its memory, and starts it again when it crashes
/// (it goes on from its checkpoint by itself).
/// </summary>
public sealed class TrainerSupervisor(TrainingJobsOptions options, TimeProvider time, ILogger<TrainerSupervisor> log)
{
    const int BackoffFactor = 4;

    /// <param name="version">Version of the model to make.</param>
    /// <param name="workerChanged">Told which worker is at it, and null when there is none.</param>
    /// <param name="cancellation">Stops the worker; the outcome is then Cancelled.</param>
    public async Task<JobOutcome> RunAsync(TrainingJob job, string version, JobStore store, Action<ProcessIdentity?> workerChanged, CancellationToken cancellation)
    {
        // 1. The worker may have been removed since the job was accepted.
        if (TrainerLocator.Find(options.TrainerPath, out var missing) is not { } program)
        {
            log.TrainerMissing(missing);
            return new JobOutcome.Failed("The training worker is not installed on this server.");
        }

        // 2. Try, and try again after a crash.
        Directory.CreateDirectory(store.WorkDirectoryOf(job.Id));
        var backoff = options.RestartBackoff;
        for (var attempt = 1; ; attempt++)
        {
            var outcome = await AttemptAsync(job, version, program, store, attempt, workerChanged, cancellation);
            if (outcome is not JobOutcome.Crashed crash) return outcome;
            if (attempt > options.MaxRestarts)
                return new JobOutcome.Failed($"The training worker died {attempt} {(attempt == 1 ? "time" : "times")}, the last time: {crash.Reason}. Its output is in the job's worker.log on the server.");

            log.WorkerRestarts(job.Id, crash.Reason, backoff);
            try
            {
                await Task.Delay(backoff, time, cancellation);
            }
            catch (OperationCanceledException)
            {
                return new JobOutcome.Cancelled();
            }
            backoff *= BackoffFactor;
        }
    }

    async Task<JobOutcome> AttemptAsync(TrainingJob job, string version, TrainerProgram program, JobStore store, int attempt, Action<ProcessIdentity?> workerChanged, CancellationToken cancellation)
    {
        var output = new WorkerLog(store.LogPathOf(job.Id), options.WorkerLogBytes);
        TrainerProcess worker;
        try
        {
            worker = TrainerProcess.Start(program, options, store.WorkDirectoryOf(job.Id), version, output, time);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            log.WorkerNotStarted(job.Id, e);
            return new JobOutcome.Failed("The training worker could not be started. The server's log says why.");
        }

        await using (worker)
        {
            workerChanged(worker.Identity);
            job.Update(training => training.Attempts = attempt);
            log.WorkerStarted(job.Id, worker.Identity.Pid, attempt);
            try
            {
                return await FollowAsync(job, version, worker, cancellation);
            }
            finally
            {
                workerChanged(null);
            }
        }
    }

    async Task<JobOutcome> FollowAsync(TrainingJob job, string version, TrainerProcess worker, CancellationToken cancellation)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        long? memory = null;
        var resident = 0L;
        var memoryWatch = WatchMemoryAsync();
        try
        {
            // 1. Until it answers.
            using var channel = await worker.ConnectAsync(options.WorkerStartTimeout, cancellation);
            if (channel is null)
            {
                worker.Kill();
                await worker.EndAsync(options.WorkerExitTimeout);
                return memory is { } early ? MemoryExceeded(early) : new JobOutcome.Crashed($"it did not answer within {options.WorkerStartTimeout.TotalSeconds:0} s of its start; {worker.ExitReason}");
            }

            // 2. Its progress, to its last word.
            Training? last = null;
            using var call = new TrainingService.TrainingServiceClient(channel).Train(job.Request, cancellationToken: cancellation);
            while (await call.ResponseStream.MoveNext(cancellation))
            {
                last = call.ResponseStream.Current.Training ?? new Training();
                // How a job ends is ours to say: after the artefact has been looked at.
                if (!TrainingJob.IsEnd(last.State)) job.Update(training => MergeProgress(training, last, Interlocked.Read(ref resident)));
            }
            await worker.EndAsync(options.WorkerExitTimeout);
            return last?.State switch
            {
                TrainingState.Succeeded when File.Exists(Path.Combine(options.ModelsRoot, job.Request.ModelName, version, "manifest.json")) => new JobOutcome.Succeeded(last),
                TrainingState.Succeeded => new JobOutcome.Failed("The training worker reported success, but its model is not in the registry's directory."),
                TrainingState.Failed => new JobOutcome.Failed(last.Error),
                TrainingState.Cancelled => new JobOutcome.Cancelled(),
                _ => new JobOutcome.Crashed($"it stopped before the end; {worker.ExitReason}"),
            };
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException && cancellation.IsCancellationRequested)
        {
            // 3. The cancelled call has told the worker; it gets a moment to end by itself.
            await worker.EndAsync(options.WorkerExitTimeout);
            return new JobOutcome.Cancelled();
        }
        catch (RpcException e)
        {
            if (StatusMapping.IsRefusalByWorker(e)) return new JobOutcome.Failed(e.Status.Detail);
            await worker.EndAsync(options.WorkerExitTimeout);
            if (memory is { } size) return MemoryExceeded(size);
            log.WorkerDied(job.Id, e, worker.LastWords);
            return new JobOutcome.Crashed(worker.ExitReason);
        }
        finally
        {
            await ending.CancelAsync();
            await memoryWatch;
        }

        async Task WatchMemoryAsync()
        {
            try
            {
                memory = await worker.WatchMemoryAsync(options.WorkerMemoryBytes, options.MemoryCheckInterval, bytes => Interlocked.Exchange(ref resident, bytes), ending.Token);
                if (memory is not null) worker.Kill();
            }
            catch (OperationCanceledException)
            {
                // The job has ended first.
            }
        }
    }

    JobOutcome.Failed MemoryExceeded(long bytes) => new(
        $"The training worker used {bytes >> 20} MiB of memory, more than the limit of {options.WorkerMemoryBytes >> 20} MiB, and was stopped. "
        + "Use a smaller batch_size, embedding_size or hidden_size, filter the events, or raise the server's --trainer-memory.");

    static void MergeProgress(Training training, Training worker, long residentBytes)
    {
        training.State = TrainingState.Running;
        if (worker.Progress is not null) training.Progress = worker.Progress;
        if (training.Progress is { ResidentBytes: 0 }) training.Progress.ResidentBytes = residentBytes;
        if (worker.ImportReport is not null) training.ImportReport = worker.ImportReport;
    }
}
