using System.ComponentModel.DataAnnotations;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Admission;

namespace GrpcRec.Serving.Batching;

/// <summary>
/// Feeds one engine from many callers, on a thread of its own. The batch is formed anew at every step from the sequences that have events
/// left, in turn (cellular batching): a short one leaves the moment that it is done, a new one joins at the next step, and a long one
/// cannot hold up the others.
/// </summary>
public sealed class BatchScheduler : IAsyncDisposable
{
    private readonly IStepEngine _engine;
    private readonly string _model;
    private readonly BatchSchedulerOptions _options;
    private readonly TimeProvider _time;
    private readonly ServingObserver _observer;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Guards _queue and _stopping; the thread sleeps on it.
    private readonly object _gate = new();
    private readonly RequestRing _queue;
    private bool _stopping;
    private long _drainEnd = long.MaxValue;

    // The thread's own.
    private readonly RequestRing _reading;
    private readonly BatchRequest[] _batch;
    private readonly StepEvent[] _events;
    private readonly List<BatchRequest> _arrived = [];
    private readonly List<BatchRequest> _finished = [];
    private readonly List<BatchRequest> _ranking = [];
    private RankQuery[] _queries = [];

    /// <param name="engine">Owned from here on.</param>
    /// <param name="model">For the log: name and version.</param>
    /// <exception cref="ValidationException">An option is out of its range.</exception>
    public BatchScheduler(IStepEngine engine, string model, BatchSchedulerOptions options, TimeProvider time, ServingObserver? observer = null)
    {
        Validator.ValidateObject(options, new ValidationContext(options), validateAllProperties: true);
        if (options.MaxQueueDelay <= TimeSpan.Zero || options.DrainTimeout < TimeSpan.Zero)
            throw new ValidationException("MaxQueueDelay must be above zero and DrainTimeout not below it");
        _engine = engine;
        _model = model;
        _options = options;
        _time = time;
        _observer = observer ?? new ServingObserver();
        _queue = new RequestRing(options.QueueCapacity);
        _reading = new RequestRing(engine.SlotCapacity);
        _batch = new BatchRequest[Math.Min(options.MaxBatchSize, engine.SlotCapacity)];
        _events = new StepEvent[_batch.Length];
        new Thread(Run) { IsBackground = true, Name = $"batch {model}" }.Start();
    }

    /// <summary>Queues a request. Null when it is done: its answer then stands in the request.</summary>
    public ValueTask<Rejection?> RunAsync(BatchRequest request)
    {
        if (request.CancellationToken.IsCancellationRequested)
            return new(Rejection.Cancelled);
        if (request.Timeout <= TimeSpan.Zero)
            return new(Rejection.DeadlinePassed);
        request.QueuedAt = _time.GetTimestamp();
        if (request.Timeout is { } timeout)
            request.Deadline = After(request.QueuedAt, timeout);
        lock (_gate)
        {
            if (_stopping)
                return new(Rejection.ShuttingDown);
            if (_queue.IsFull)
                return new(Rejection.QueueFull);
            _queue.Add(request);
            Monitor.Pulse(_gate);
        }

        return request.Completion;
    }

    /// <summary>Takes no more, ends what it has taken within the drain timeout, and lets the engine go.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (!_stopping)
            {
                _stopping = true;
                _drainEnd = After(_time.GetTimestamp(), _options.DrainTimeout);
                Monitor.Pulse(_gate);
            }
        }

        await _ended.Task;
    }

    private void Run()
    {
        while (TakeIn())
        {
            try
            {
                Advance();
            }
            catch (Exception exception)
            {
                // A fault of this class or of an engine that cannot even take a slot back: nothing in flight can be trusted.
                _observer.EngineFault(_model, exception);
                AbandonAll(Rejection.EngineFault);
            }
        }

        _engine.Dispose();
        _ended.SetResult();
    }

    /// <summary>Sleeps until there is work, then takes as many from the queue as there are slots. False: the end.</summary>
    private bool TakeIn()
    {
        bool stopping, abandon;
        lock (_gate)
        {
            while (_queue.Count == 0 && _reading.Count == 0 && !_stopping)
                Monitor.Wait(_gate);
            stopping = _stopping;
            abandon = stopping && _time.GetTimestamp() >= _drainEnd;
            if (abandon)
            {
                while (_queue.Count > 0)
                    _arrived.Add(_queue.Take());
            }
            else
            {
                for (var free = _engine.FreeSlots; free > 0 && _queue.Count > 0; free--)
                    _arrived.Add(_queue.Take());
            }
        }

        if (abandon)
            AbandonAll(Rejection.ShuttingDown);
        return _arrived.Count > 0 || _reading.Count > 0 || !stopping;
    }

    private void Advance()
    {
        var now = _time.GetTimestamp();
        // 1. Give each arrival a slot, unless its caller has gone.
        foreach (var request in _arrived)
            Admit(request, now);
        _arrived.Clear();

        // 2. Form a batch from those whose turn it is.
        var count = FormBatch(now);

        // 3. Advance it by one event.
        if (count > 0)
            Step(count);

        // 4. Answer those that have no event left.
        if (_finished.Count > 0)
            Finish();
    }

    private void Admit(BatchRequest request, long now)
    {
        if (WhyGone(request, now) is { } gone)
            request.Complete(gone);
        else if (_time.GetElapsedTime(request.QueuedAt, now) > _options.MaxQueueDelay)
            request.Complete(Rejection.QueuedTooLong);
        else if (!_engine.TryRent(out var slot))
            request.Complete(Rejection.EngineFault);
        else
        {
            request.Slot = slot;
            if (request.Items.Length == 0)
                _finished.Add(request);
            else
                _reading.Add(request);
        }
    }

    private int FormBatch(long now)
    {
        var count = 0;
        while (count < _batch.Length && _reading.Count > 0)
        {
            var request = _reading.Take();
            if (WhyGone(request, now) is { } gone)
            {
                Leave(request, gone);
                continue;
            }

            _batch[count] = request;
            _events[count++] = new StepEvent(request.Slot!.Value, request.Items[request.Position], request.Behaviors[request.Position]);
        }

        return count;
    }

    private void Step(int count)
    {
        try
        {
            _engine.Step(_events.AsSpan(0, count));
        }
        catch (Exception exception)
        {
            _observer.EngineFault(_model, exception);
            for (var i = 0; i < count; i++)
                Leave(_batch[i], Rejection.EngineFault);
            Array.Clear(_batch);
            return;
        }

        for (var i = 0; i < count; i++)
        {
            var request = _batch[i];
            if (++request.Position == request.Items.Length)
                _finished.Add(request);
            else
                _reading.Add(request);
        }

        Array.Clear(_batch);
    }

    private void Finish()
    {
        // All that end at the same step read the catalogue together: one pass over its memory.
        foreach (var request in _finished)
        {
            if (request.RankK > 0)
                _ranking.Add(request);
        }

        var ranked = _ranking.Count == 0 || TryRank();
        foreach (var request in _finished)
        {
            var failed = request.RankK > 0 && !ranked;
            Leave(request, failed || !TryScore(request) ? Rejection.EngineFault : null);
        }

        _finished.Clear();
        _ranking.Clear();
    }

    private bool TryRank()
    {
        if (_queries.Length < _ranking.Count)
            _queries = new RankQuery[Math.Max(_ranking.Count, _batch.Length)];
        for (var i = 0; i < _ranking.Count; i++)
            _queries[i] = new RankQuery { Slot = _ranking[i].Slot!.Value, K = _ranking[i].RankK, Excluded = _ranking[i].RankExcluded };
        try
        {
            _engine.Rank(_queries.AsSpan(0, _ranking.Count));
        }
        catch (Exception exception)
        {
            _observer.EngineFault(_model, exception);
            return false;
        }

        for (var i = 0; i < _ranking.Count; i++)
            _ranking[i].Ranked = _queries[i].Result;
        Array.Clear(_queries, 0, _ranking.Count);
        return true;
    }

    private bool TryScore(BatchRequest request)
    {
        try
        {
            var items = request.ScoreRanked ? Array.ConvertAll(request.Ranked, ranked => ranked.Item) : request.Candidates;
            if (items.Length > 0)
            {
                request.CandidateLogits = new float[items.Length * _engine.CandidateWidth];
                _engine.ScoreCandidates(request.Slot!.Value, items, request.CandidateLogits);
            }

            if (request.WantsSequenceScores && _engine.SequenceWidth > 0)
            {
                request.SequenceLogits = new float[_engine.SequenceWidth];
                _engine.ScoreSequence(request.Slot!.Value, request.SequenceLogits);
            }

            return true;
        }
        catch (Exception exception)
        {
            _observer.EngineFault(_model, exception);
            return false;
        }
    }

    private void Leave(BatchRequest request, Rejection? rejection)
    {
        try
        {
            if (request.Slot is { } slot)
            {
                request.Slot = null;
                _engine.Return(slot);
            }
        }
        finally
        {
            request.Complete(rejection);
        }
    }

    private void AbandonAll(Rejection rejection)
    {
        List<BatchRequest> inFlight = [.. _arrived, .. _finished, .. _batch.OfType<BatchRequest>()];
        while (_reading.Count > 0)
            inFlight.Add(_reading.Take());
        _arrived.Clear();
        _finished.Clear();
        _ranking.Clear();
        Array.Clear(_batch);
        foreach (var request in inFlight)
        {
            try
            {
                Leave(request, rejection);
            }
            catch (Exception exception)
            {
                _observer.EngineFault(_model, exception);
            }
        }
    }

    private static Rejection? WhyGone(BatchRequest request, long now) =>
        request.CancellationToken.IsCancellationRequested ? Rejection.Cancelled
        : now >= request.Deadline ? Rejection.DeadlinePassed
        : null;

    private long After(long timestamp, TimeSpan delay)
    {
        var ticks = delay.TotalSeconds * _time.TimestampFrequency;
        return ticks >= long.MaxValue - timestamp ? long.MaxValue : timestamp + (long)ticks;
    }
}
