using System.Diagnostics;
using GrpcRec.Server.Jobs;
using GrpcRec.V1;

namespace GrpcRec.Server.Tests.Jobs;

public class TrainingJobsTests
{
    [Fact]
    public async Task Submit_WorkerDiesEachTime_FailsWithTheReasonAfterTwoRestarts()
    {
        await using var host = await JobsHost.StartAsync(TroubledWorker.Dies);
        var job = host.Submit();
        var end = await JobsHost.EndOf(job);
        Assert.Equal(TrainingState.Failed, end.State);
        Assert.Equal(3, end.Attempts);
        Assert.Contains("died 3 times", end.Error, StringComparison.Ordinal);
        Assert.Contains("exit code 3", end.Error, StringComparison.Ordinal);
        Assert.Equal(3, File.ReadAllLines(Path.Combine(host.Options.StateDirectory, "jobs", job.Id, "worker.log")).Count(line => line == "going down"));
    }

    [Fact]
    public async Task Worker_KilledEachTime_IsRestartedAndThenReported()
    {
        await using var host = await JobsHost.StartAsync(TroubledWorker.Hangs);
        var job = host.Submit();
        var pid = 0;
        for (var life = 1; life <= 3; life++)
        {
            var worker = await host.WorkerOf(job, notPid: pid);
            await JobsHost.Until(job, training => training.Attempts == life);
            pid = worker.Pid;
            using var process = Process.GetProcessById(pid);
            process.Kill();
        }
        var end = await JobsHost.EndOf(job);
        Assert.Equal(TrainingState.Failed, end.State);
        Assert.Equal(3, end.Attempts);
        Assert.Contains("signal 9", end.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Worker_PastTheMemoryLimit_IsKilledAndNotRestarted()
    {
        await using var host = await JobsHost.StartAsync(TroubledWorker.Hangs, options => options with { WorkerMemoryBytes = 1 });
        var job = host.Submit();
        var end = await JobsHost.EndOf(job);
        Assert.Equal(TrainingState.Failed, end.State);
        Assert.Equal(1, end.Attempts);
        Assert.Contains("more than the limit", end.Error, StringComparison.Ordinal);
        Assert.Contains("--trainer-memory", end.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Worker_NeverAnswers_CountsAsACrash()
    {
        await using var host = await JobsHost.StartAsync(TroubledWorker.Hangs, options => options with { WorkerStartTimeout = TimeSpan.FromMilliseconds(100), MaxRestarts = 0 });
        var end = await JobsHost.EndOf(host.Submit());
        Assert.Equal(TrainingState.Failed, end.State);
        Assert.Contains("did not answer", end.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Worker_TalksWithoutEnd_LogKeepsItsLimit()
    {
        const long limit = 10_000;
        await using var host = await JobsHost.StartAsync(TroubledWorker.Talks, options => options with { WorkerLogBytes = limit });
        var job = host.Submit();
        var log = new FileInfo(Path.Combine(host.Options.StateDirectory, "jobs", job.Id, "worker.log"));
        await host.WorkerOf(job);
        await Eventually(() =>
        {
            log.Refresh();
            return log.Exists && log.Length > limit / 2;
        });
        host.Jobs.Cancel(job);
        await JobsHost.EndOf(job);
        log.Refresh();
        // The one line past the limit says how many were not written.
        Assert.InRange(log.Length, limit / 2, limit + 200);
    }

    [Fact]
    public async Task Cancel_Running_EndsTheWorker()
    {
        await using var host = await JobsHost.StartAsync(TroubledWorker.Hangs);
        var job = host.Submit();
        var worker = await host.WorkerOf(job);
        Assert.True(worker.IsAlive);
        Assert.Null(host.Jobs.Cancel(job).Rejection);
        var end = await JobsHost.EndOf(job);
        Assert.Equal(TrainingState.Cancelled, end.State);
        Assert.NotNull(end.EndedAt);
        await Eventually(() => !worker.IsAlive);
    }

    [Fact]
    public async Task Cancel_Waiting_EndsAtOnceAndTheNextOneRuns()
    {
        await using var host = await JobsHost.StartAsync(TroubledWorker.Hangs);
        var first = host.Submit();
        await host.WorkerOf(first);
        var second = host.Submit();
        var third = host.Submit();
        Assert.Equal(TrainingState.Cancelled, host.Jobs.Cancel(second).Value!.State);
        Assert.Equal("TRAINING_STATE_CANCELLED", host.Store.StateOf(second.Id));
        host.Jobs.Cancel(first);
        await JobsHost.Until(third, training => training.State == TrainingState.Running);
    }

    [Fact]
    public async Task Cancel_Ended_IsRefused()
    {
        await using var host = await JobsHost.StartAsync(TroubledWorker.Dies);
        var job = host.Submit();
        await JobsHost.EndOf(job);
        Assert.Equal("TRAINING_ENDED", host.Jobs.Cancel(job).Rejection!.Reason);
    }

    [Fact]
    public async Task Submit_QueueFull_IsRefusedWithRetry()
    {
        await using var host = await JobsHost.StartAsync(TroubledWorker.Hangs, options => options with { QueueCapacity = 1 });
        await host.WorkerOf(host.Submit());
        host.Submit();
        var refusal = host.Jobs.Submit(JobsHost.Request()).Rejection;
        Assert.Equal("TRAINING_QUEUE_FULL", refusal!.Reason);
        Assert.NotNull(refusal.RetryAfter);
        Assert.Equal(2, host.Jobs.List(10).Count);
    }

    [Fact]
    public async Task Submit_NoTrainer_IsRefusedWithoutAJob()
    {
        await using var host = await JobsHost.StartAsync(TroubledWorker.Hangs, options => options with { TrainerPath = "/nowhere/grpcrec-trainer" });
        Assert.Equal("TRAINER_NOT_INSTALLED", host.Jobs.Submit(JobsHost.Request()).Rejection!.Reason);
        Assert.Empty(host.Jobs.List(10));
    }

    [Fact]
    public async Task Stop_WhileRunning_FailsRunningAndWaitingJobsAndKeepsThemOverARestart()
    {
        await using var host = await JobsHost.StartAsync(TroubledWorker.Hangs);
        var running = host.Submit();
        var worker = await host.WorkerOf(running);
        var waiting = host.Submit();
        await host.StopAsync();
        Assert.False(worker.IsAlive);
        foreach (var job in new[] { running, waiting })
        {
            Assert.Equal(TrainingState.Failed, job.Current.State);
            Assert.Equal(TrainingJobs.ServerStopped, job.Current.Error);
        }

        await using var next = await JobsHost.StartAsync(TroubledWorker.Hangs, folder: host.Folder);
        Assert.Equal([waiting.Id, running.Id], next.Jobs.List(10).Select(training => training.TrainingId));
        Assert.All(next.Jobs.List(10), training => Assert.Equal(TrainingJobs.ServerStopped, training.Error));
    }

    [Fact]
    public async Task Start_AfterACrash_FailsTheJobAndEndsItsOrphan()
    {
        var folder = Directory.CreateTempSubdirectory("grpcrec-jobs-").FullName;
        // The word after the script's name makes its command line that of a worker.
        using var orphan = Process.Start("/bin/sh", ["-c", "sleep 600; true", "grpcrec-trainer"]);
        using var stranger = Process.Start("/bin/sleep", ["600"]);
        try
        {
            using (var store = new JobStore(Path.Combine(folder, "state")))
            {
                store.Write(Crashed("20260101-000000-00001", TrainingState.Running, ProcessIdentity.Of(orphan.Id)));
                // A pid that has gone to another program since.
                store.Write(Crashed("20260101-000000-00002", TrainingState.Running, ProcessIdentity.Of(stranger.Id)));
                store.Write(Crashed("20260101-000000-00003", TrainingState.Queued, null));
                store.Write(Crashed("20260101-000000-00004", TrainingState.Succeeded, null));
            }
            await using var host = await JobsHost.StartAsync(TroubledWorker.Hangs, folder: folder);
            Assert.Equal(
                [TrainingState.Succeeded, TrainingState.Failed, TrainingState.Failed, TrainingState.Failed],
                host.Jobs.List(10).Select(training => training.State));
            Assert.All(host.Jobs.List(10).Skip(1), training => Assert.Equal(TrainingJobs.ServerStopped, training.Error));
            Assert.Equal("TRAINING_STATE_FAILED", host.Store.StateOf("20260101-000000-00001"));
            await orphan.WaitForExitAsync().WaitAsync(JobsHost.Patience);
            Assert.False(stranger.HasExited);
        }
        finally
        {
            orphan.Kill(entireProcessTree: true);
            stranger.Kill();
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Start_StateDirectoryInUse_IsRefused()
    {
        await using var host = await JobsHost.StartAsync(TroubledWorker.Hangs);
        var refusal = await Assert.ThrowsAsync<ServerOptionsException>(() => JobsHost.StartAsync(TroubledWorker.Hangs, folder: host.Folder));
        Assert.Contains("--state", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_DamagedRecord_IsLeftOutAndTheOthersStay()
    {
        await using var host = await JobsHost.StartAsync(TroubledWorker.Dies);
        var damaged = host.Submit();
        await JobsHost.EndOf(damaged);
        var whole = host.Submit();
        await JobsHost.EndOf(whole);
        await host.StopAsync();
        var path = host.Store.PathOf(damaged.Id);
        File.WriteAllText(path, File.ReadAllText(path)[..40]);

        await using var next = await JobsHost.StartAsync(TroubledWorker.Dies, folder: host.Folder);
        Assert.Equal(whole.Id, Assert.Single(next.Jobs.List(10)).TrainingId);
    }

    [Fact]
    public async Task History_PastItsCapacity_LosesTheOldest()
    {
        await using var host = await JobsHost.StartAsync(TroubledWorker.Dies, options => options with { HistoryCapacity = 2, MaxRestarts = 0 });
        var jobs = new List<TrainingJob>();
        for (var i = 0; i < 4; i++)
        {
            jobs.Add(host.Submit());
            await JobsHost.EndOf(jobs[^1]);
        }
        await Eventually(() => host.Jobs.List(10).Count == 2);
        Assert.Equal([jobs[3].Id, jobs[2].Id], host.Jobs.List(10).Select(training => training.TrainingId));
        await Eventually(() => !Directory.Exists(Path.Combine(host.Options.StateDirectory, "jobs", jobs[0].Id)));
    }

    static JobRecord Crashed(string id, TrainingState state, ProcessIdentity? worker) =>
        new(JobsHost.Request(), new() { TrainingId = id, ModelName = "m", State = state }, worker);

    static async Task Eventually(Func<bool> holds)
    {
        using var patience = new CancellationTokenSource(JobsHost.Patience);
        while (!holds()) await Task.Delay(20, patience.Token);
    }
}
