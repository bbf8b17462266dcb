using Google.Protobuf.WellKnownTypes;
using GrpcRec.Server.Mapping;
using GrpcRec.Server.Telemetry;
using GrpcRec.Serving.Admission;
using GrpcRec.V1;

namespace GrpcRec.Server.Jobs;

/// <summary>Loads and activates a version in the server's registry.</summary>
/// <returns>null, or why it could not, for a person.</returns>
public delegate Task<string?> ActivateModel(string name, string version, CancellationToken cancellation);

/// <summary>
/// The training jobs of this server: a bounded queue, one job at a time, every transition on disk. A job belongs to the server and not to
/// the call that asked for it.
/// </summary>
public sealed class TrainingJobs : BackgroundService
{
    /// <summary>Why a job of a previous life is FAILED.</summary>
    public const string ServerStopped = "The server stopped while this training was waiting or running. Ask for it again.";
    const string WorkerName = "grpcrec-trainer";

    readonly TrainingJobsOptions _options;
    readonly JobStore _store;
    readonly TrainerSupervisor _supervisor;
    readonly ActivateModel _activate;
    readonly TimeProvider _time;
    readonly ILogger<TrainingJobs> _log;
    readonly JobClock _clock;

    readonly Lock _lock = new();
    readonly Dictionary<string, TrainingJob> _jobs = [];
    readonly LinkedList<TrainingJob> _queue = [];
    readonly SemaphoreSlim _queued = new(0);
    TrainingJob? _running;
    bool _stopping;

    readonly Lock _saving = new();
    ProcessIdentity? _worker;

    public TrainingJobs(TrainingJobsOptions options, TrainerSupervisor supervisor, ActivateModel activate, TimeProvider time, ILogger<TrainingJobs> log)
    {
        (_options, _supervisor, _activate, _time, _log) = (options, supervisor, activate, time, log);
        _clock = new(time);
        _store = new(options.StateDirectory);
    }

    /// <summary>Accepts a job, or says why not. It is on disk when this returns.</summary>
    /// <param name="request">Keeps the contract's bounds: see TrainRequestRules.</param>
    public Outcome<TrainingJob> Submit(TrainRequest request)
    {
        if (TrainerLocator.Find(_options.TrainerPath, out var missing) is null)
        {
            _log.TrainerMissing(missing);
            return JobRejections.TrainerMissing;
        }

        TrainingJob job;
        lock (_lock)
        {
            // 1. A place.
            if (_stopping) return Rejection.ShuttingDown;
            if ((_running is null ? 0 : 1) + _queue.Count > _options.QueueCapacity) return JobRejections.QueueFull(_options.QueueCapacity);

            // 2. On disk, then in the queue.
            var (now, stamp) = _clock.Next();
            job = new(request.Clone(), new()
            {
                TrainingId = stamp,
                ModelName = request.ModelName,
                State = TrainingState.Queued,
                CreatedAt = Timestamp.FromDateTimeOffset(now),
            }, _options.WatchersPerJob);
            Save(job);
            _jobs.Add(job.Id, job);
            _queue.AddLast(job);
        }
        _queued.Release();
        _log.TrainingQueued(job.Id, request.ModelName);
        return job;
    }

    public Outcome<TrainingJob> Find(string id)
    {
        lock (_lock)
            return _jobs.TryGetValue(id, out var job) ? job : JobRejections.NotFound(Violations.Quote(id));
    }

    /// <param name="count">Most of them.</param>
    /// <returns>Newest first.</returns>
    public IReadOnlyList<Training> List(int count)
    {
        lock (_lock)
            return _jobs.Values.OrderByDescending(job => job.Id, StringComparer.Ordinal).Take(count).Select(job => job.Current).ToArray();
    }

    /// <summary>Asks a job to stop. One that waits has ended when this returns; one that runs ends soon after.</summary>
    public Outcome<Training> Cancel(TrainingJob job)
    {
        bool waiting;
        lock (_lock) waiting = _queue.Remove(job);
        if (waiting)
            End(job, TrainingState.Cancelled, "");
        else if (job.HasEnded)
            return JobRejections.AlreadyEnded(job.Id, job.Current.State);
        else
            job.Cancel();
        return job.Current;
    }

    /// <summary>Takes up what a previous server left behind, before the first request can come.</summary>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        var (records, unreadable) = _store.ReadAll();
        foreach (var (folder, reason) in unreadable) _log.JobUnreadable(folder, reason);
        foreach (var record in records)
        {
            var job = new TrainingJob(record.Request, record.Training, _options.WatchersPerJob);
            if (!job.HasEnded)
            {
                if (record.Worker is { } worker) EndOrphan(worker);
                End(job, TrainingState.Failed, ServerStopped);
            }
            lock (_lock) _jobs.Add(job.Id, job);
        }
        TrimHistory();
        return base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await _queued.WaitAsync(stoppingToken);
            }
            catch (OperationCanceledException)
            {
                break;
            }

            TrainingJob? job;
            lock (_lock)
            {
                job = _running = _queue.First?.Value;
                // A cancellation may have taken it out again.
                if (job is null) continue;
                _queue.RemoveFirst();
            }
            await RunAsync(job, stoppingToken);
            lock (_lock) _running = null;
            TrimHistory();
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        TrainingJob[] waiting;
        lock (_lock)
        {
            _stopping = true;
            waiting = [.. _queue];
            _queue.Clear();
        }
        foreach (var job in waiting) End(job, TrainingState.Failed, ServerStopped);
        await base.StopAsync(cancellationToken);
    }

    async Task RunAsync(TrainingJob job, CancellationToken stopping)
    {
        job.Update(training => training.State = TrainingState.Running);
        SaveOrLog(job);

        using var ended = new CancellationTokenSource();
        var saving = SaveProgressAsync(job, ended.Token);
        JobOutcome outcome;
        try
        {
            using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(stopping, job.Cancellation);
            outcome = await _supervisor.RunAsync(job, job.Id, _store, worker =>
            {
                _worker = worker;
                SaveOrLog(job);
            }, cancellation.Token);
        }
#pragma warning disable CA1031 // One job's trouble, of whatever kind, must not end the queue for all later ones.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _log.TrainingFaulted(job.Id, e);
            outcome = new JobOutcome.Failed("The server met an internal error while it supervised this training. Its log says more.");
        }
        await ended.CancelAsync();
        await saving;

        // Before the end is told: who hears of it finds nothing left behind. The artefact, if any, is whole already.
        _store.DeleteWork(job.Id);
        await PublishAsync(job, outcome, stopping);
    }

    async Task PublishAsync(TrainingJob job, JobOutcome outcome, CancellationToken stopping)
    {
        var name = job.Request.ModelName;
        switch (outcome)
        {
            case JobOutcome.Succeeded { Last: var last }:
                var refusal = job.Request.Activate ? await _activate(name, job.Id, stopping) : null;
                End(job,
                    refusal is null ? TrainingState.Succeeded : TrainingState.Failed,
                    refusal is null ? "" : $"The model was trained and is stored as version {job.Id}, but it could not be activated: {refusal}",
                    training =>
                    {
                        training.Model = new() { Name = name, Version = job.Id };
                        training.Metrics.Add(last.Metrics);
                        training.BaselineMetrics.Add(last.BaselineMetrics);
                        training.Progress = last.Progress ?? training.Progress;
                        training.ImportReport = last.ImportReport ?? training.ImportReport;
                        training.Relatedness = last.Relatedness;
                    });
                break;
            case JobOutcome.Cancelled when job.Cancellation.IsCancellationRequested:
                Unpublish(job);
                End(job, TrainingState.Cancelled, "");
                break;
            case JobOutcome.Cancelled:
                Unpublish(job);
                End(job, TrainingState.Failed, stopping.IsCancellationRequested ? ServerStopped : "The training worker stopped by itself.");
                break;
            case JobOutcome.Failed { Reason: var reason }:
                Unpublish(job);
                End(job, TrainingState.Failed, string.IsNullOrEmpty(reason) ? "The training worker gave no reason." : reason);
                break;
            default:
                throw new InvalidOperationException($"The supervisor ended with {outcome}.");
        }
    }

    /// <summary>A version that was written just before its job was stopped is not published.</summary>
    void Unpublish(TrainingJob job)
    {
        var folder = Path.Combine(_options.ModelsRoot, job.Request.ModelName, job.Id);
        try
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log.TrainingNotSaved(job.Id, e);
        }
    }

    void End(TrainingJob job, TrainingState state, string error, Action<Training>? change = null)
    {
        if (job.End(state, error, _time.GetUtcNow(), change) is null) return;
        SaveOrLog(job);
        _log.TrainingEnded(job.Id, job.Request.ModelName, state, error);
    }

    /// <summary>Writes where a job stands; the last of several writers writes the latest.</summary>
    void Save(TrainingJob job)
    {
        lock (_saving) _store.Write(new(job.Request, job.Current, job == _running ? _worker : null));
    }

    /// <summary>A full disk is no reason to lose a job that may still end well: its next state is written again.</summary>
    void SaveOrLog(TrainingJob job)
    {
        try
        {
            Save(job);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log.TrainingNotSaved(job.Id, e);
        }
    }

    async Task SaveProgressAsync(TrainingJob job, CancellationToken ended)
    {
        try
        {
            await foreach (var _ in job.ReadAsync(ended))
            {
                SaveOrLog(job);
                await Task.Delay(_options.ProgressSaveInterval, _time, ended);
            }
        }
        catch (OperationCanceledException)
        {
            // The end is written by who ends it.
        }
    }

    void EndOrphan(ProcessIdentity worker)
    {
        if (!worker.IsAlive || !worker.Runs(WorkerName)) return;
        _log.OrphanEnded(worker.Pid);
        try
        {
            using var process = System.Diagnostics.Process.GetProcessById(worker.Pid);
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // It has ended in between.
        }
    }

    void TrimHistory()
    {
        TrainingJob[] old;
        lock (_lock)
        {
            old = _jobs.Values.Where(job => job.HasEnded).OrderByDescending(job => job.Id, StringComparer.Ordinal).Skip(_options.HistoryCapacity).ToArray();
            foreach (var job in old) _jobs.Remove(job.Id);
        }
        foreach (var job in old) _store.Delete(job);
    }

    public override void Dispose()
    {
        _store.Dispose();
        _queued.Dispose();
        base.Dispose();
    }
}
