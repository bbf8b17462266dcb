using System.ComponentModel.DataAnnotations;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Admission;

namespace GrpcRec.Serving.Batching;

/// <summary>
/// Feeds one version's engines from many callers: one lane for each engine, on a worker of the pool. A request goes to the lane that has
/// the least to compute and stays there; its answer has the same bits on each of them, in whatever company.
/// </summary>
public sealed class BatchScheduler : IAsyncDisposable
{
    private readonly Lane[] _lanes;
    private readonly QueuePlaces _places;
    private readonly Clock _clock;

    /// <param name="engines">One to as many as the pool has threads, of the same artefact. Owned from here on.</param>
    /// <param name="model">For the log: name and version.</param>
    /// <exception cref="ValidationException">An option is out of its range.</exception>
    /// <exception cref="ObjectDisposedException">The pool was disposed.</exception>
    public BatchScheduler(
        ComputePool pool, IReadOnlyList<IStepEngine> engines, string model, BatchSchedulerOptions options, TimeProvider time, ServingObserver? observer = null)
    {
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(engines);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfZero(engines.Count, nameof(engines));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(engines.Count, pool.Threads, nameof(engines));
        Validator.ValidateObject(options, new ValidationContext(options), validateAllProperties: true);
        if (options.MaxQueueDelay <= TimeSpan.Zero || options.DrainTimeout < TimeSpan.Zero)
            throw new ValidationException("MaxQueueDelay must be above zero and DrainTimeout not below it");
        _clock = new Clock(time);
        _places = new QueuePlaces(options.QueueCapacity);
        var workers = pool.Choose(engines.Count);
        _lanes = [.. engines.Zip(workers, (engine, worker) => new Lane(worker, engine, model, options, _places, _clock, observer ?? new ServingObserver()))];
        for (var i = 0; i < _lanes.Length; i++)
            workers[i].Add(_lanes[i]);
    }

    /// <summary>Queues a request. Null when it is done: its answer then stands in the request.</summary>
    public ValueTask<Rejection?> RunAsync(BatchRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.CancellationToken.IsCancellationRequested)
            return new(Rejection.Cancelled);
        if (request.Timeout <= TimeSpan.Zero)
            return new(Rejection.DeadlinePassed);
        request.QueuedAt = _clock.Now;
        if (request.Timeout is { } timeout)
            request.Deadline = _clock.After(request.QueuedAt, timeout);
        if (!_places.TryTake())
            return new(Rejection.QueueFull);
        if (LeastBusy(request.QueuedAt).TryAdd(request) is { } rejection)
        {
            _places.Return();
            return new(rejection);
        }

        return request.Completion;
    }

    /// <summary>Takes no more, ends what it has taken within the drain timeout, and lets the engines go.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var lane in _lanes)
            lane.Stop();
        await Task.WhenAll(_lanes.Select(lane => lane.Ended));
    }

    /// <summary>The first of those with the least work: where nothing is pending, always the same one, whose engine is warm.</summary>
    private Lane LeastBusy(long now)
    {
        var best = _lanes[0];
        best.LookAgain(now);
        var least = best.PendingWork;
        for (var i = 1; i < _lanes.Length && least > 0; i++)
        {
            _lanes[i].LookAgain(now);
            var work = _lanes[i].PendingWork;
            if (work < least)
                (best, least) = (_lanes[i], work);
        }

        return best;
    }
}
