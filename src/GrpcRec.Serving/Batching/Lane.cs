using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Admission;

namespace GrpcRec.Serving.Batching;

/// <summary>
/// One version's share of one worker: an engine with its slots, the requests that wait for one, and those that are read. The batch is
/// formed anew for every chunk of steps from the sequences that have events left, in turn (cellular batching): a short one leaves the
/// moment that it is done, a new one joins at the next chunk, and a long one cannot hold up the others.
/// </summary>
internal sealed class Lane
{
    /// <summary>A lane without a slot that works is asked again this often at most: a slot that its engine does not take back is a line in the log each time.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    private readonly ComputeWorker _worker;
    private readonly IStepEngine _engine;
    private readonly string _model;
    private readonly BatchSchedulerOptions _options;
    private readonly QueuePlaces _places;
    private readonly Clock _clock;
    private readonly ServingObserver _observer;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _rankWork;

    // Guarded by the worker's gate.
    private readonly RequestRing _queue;
    private bool _stopping, _isToLook;
    private long _drainEnd = long.MaxValue;

    private long _pendingWork;
    private volatile bool _isBroken;
    private long _nextLook;

    // The worker's own.
    private readonly RequestRing _reading;
    private readonly RunBatch _batch;
    private readonly AnswerStage _answers;
    private readonly Action<BatchRequest, Rejection?> _leaveAnswered;
    private readonly List<BatchRequest> _arrived = [];
    private readonly List<BatchRequest> _finished = [];
    private readonly List<Slot> _lost = [];

    /// <param name="engine">Owned from here on.</param>
    /// <param name="places">Shared by the lanes of a version.</param>
    public Lane(ComputeWorker worker, IStepEngine engine, string model, BatchSchedulerOptions options, QueuePlaces places, Clock clock, ServingObserver observer)
    {
        _worker = worker;
        _engine = engine;
        _model = model;
        _options = options;
        _places = places;
        _clock = clock;
        _observer = observer;
        _queue = new RequestRing(places.Capacity);
        _reading = new RequestRing(engine.SlotCapacity);
        _batch = new RunBatch(Math.Min(options.MaxBatchSize, engine.SlotCapacity), options.ChunkEvents);
        _answers = new AnswerStage(engine, Report);
        _leaveAnswered = Leave;
        // A ranking reads V rows where an event reads the weights of four gates, and does it several times as fast.
        _rankWork = engine.CatalogSize / (8 * engine.HiddenSize);
    }

    /// <summary>What is queued and not yet computed here, in events. A lane without any slot that works comes last.</summary>
    public long PendingWork => _isBroken ? long.MaxValue : Interlocked.Read(ref _pendingWork);

    /// <summary>Whether the next turn has something to do. Under the worker's gate.</summary>
    public bool HasWork => _queue.Count > 0 || _reading.Count > 0 || _stopping || _isToLook;

    /// <summary>When the engine is gone.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Null: queued. A place was taken for it.</summary>
    public Rejection? TryAdd(BatchRequest request)
    {
        lock (_worker.Gate)
        {
            if (_stopping)
                return Rejection.ShuttingDown;
            request.Work = request.Items.Length + 1 + (request.RankK > 0 ? _rankWork : 0);
            Interlocked.Add(ref _pendingWork, request.Work);
            _queue.Add(request);
            Monitor.Pulse(_worker.Gate);
            return null;
        }
    }

    /// <summary>
    /// Whether the engine has slots again shows in the lane's own turn alone, and one that comes last for every request would never have
    /// a turn: whoever passes it over sees to it that it has one.
    /// </summary>
    public void LookAgain(long now)
    {
        if (!_isBroken || now < Interlocked.Read(ref _nextLook))
            return;
        Interlocked.Exchange(ref _nextLook, _clock.After(now, LookEvery));
        lock (_worker.Gate)
        {
            _isToLook = true;
            Monitor.Pulse(_worker.Gate);
        }
    }

    /// <summary>Takes no more, and ends what it has taken within the drain timeout.</summary>
    public void Stop()
    {
        lock (_worker.Gate)
        {
            if (_stopping)
                return;
            _stopping = true;
            _drainEnd = _clock.After(_clock.Now, _options.DrainTimeout);
            Monitor.Pulse(_worker.Gate);
        }
    }

    /// <summary>One chunk of steps. False: stopped and done.</summary>
    public bool Turn()
    {
        try
        {
            // 1. Give each arrival a slot, unless its caller has gone.
            var now = _clock.Now;
            if (!TakeIn(now))
                return false;
            foreach (var request in _arrived)
                Admit(request, now);
            _arrived.Clear();

            // 2. Form a batch from those whose turn it is, and read on in it.
            if (_reading.Count > 0)
                ReadOn(now);

            // 3. Answer those that have no event left.
            if (_finished.Count > 0)
            {
                _answers.Answer(_finished, _leaveAnswered);
                _finished.Clear();
            }
        }
        catch (Exception exception)
        {
            // A fault of this class or of an engine that cannot even say how many slots are free: nothing here can be trusted.
            AbandonAll(Report(exception));
            lock (_worker.Gate)
                return !_stopping;
        }

        return true;
    }

    /// <summary>Lets the engine go.</summary>
    public void End()
    {
        try
        {
            _engine.Dispose();
        }
        catch (Exception exception)
        {
            Report(exception);
        }

        _ended.SetResult();
    }

    /// <summary>Takes as many from the queue as there are slots, and those that have waited too long. False: stopped and nothing is left.</summary>
    private bool TakeIn(long now)
    {
        var free = _engine.FreeSlots;
        if (free == 0 && _reading.Count == 0)
            free = TakeBackLost();
        // With no slot and none that could come free, whoever waited would wait for ever: admitting refuses them.
        if (free == 0 && _reading.Count == 0 && !_isBroken)
            Interlocked.Exchange(ref _nextLook, _clock.After(now, LookEvery));
        _isBroken = free == 0 && _reading.Count == 0;
        bool abandon;
        lock (_worker.Gate)
        {
            _isToLook = false;
            abandon = _stopping && now >= _drainEnd;
            while (_queue.Count > 0 && !abandon && (free > 0 || _isBroken || WhyRefused(_queue.Peek(), now) is not null))
            {
                var request = _queue.Take();
                _places.Return();
                _arrived.Add(request);
                free--;
            }

            if (!abandon)
                return _arrived.Count > 0 || _reading.Count > 0 || !_stopping;
        }

        AbandonAll(Rejection.ShuttingDown);
        return false;
    }

    private void Admit(BatchRequest request, long now)
    {
        if (WhyRefused(request, now) is { } refusal)
            Leave(request, refusal);
        else if (!_engine.TryRent(out var slot))
            Leave(request, _engine.IsLost ? Rejection.EngineLost : Rejection.EngineFault);
        else
        {
            request.Slot = slot;
            if (request.EventsLeft == 0)
                _finished.Add(request);
            else
                _reading.Add(request);
        }
    }

    private void ReadOn(long now)
    {
        var shortest = int.MaxValue;
        while (!_batch.IsFull && _reading.Count > 0)
        {
            var request = _reading.Take();
            if (WhyGone(request, now) is { } gone)
            {
                Leave(request, gone);
                continue;
            }

            _batch.Add(request);
            shortest = Math.Min(shortest, request.EventsLeft);
        }

        if (_batch.Count == 0)
            return;
        var events = 0;
        Rejection? failure = null;
        try
        {
            events = _batch.Advance(_engine, Steps(_batch.Count, shortest));
        }
        catch (Exception exception)
        {
            failure = Report(exception);
        }

        Interlocked.Add(ref _pendingWork, -events);
        foreach (var request in _batch.Requests)
        {
            if (failure is not null)
                Leave(request, failure);
            else if (request.EventsLeft == 0)
                _finished.Add(request);
            else
                _reading.Add(request);
        }

        _batch.Clear();
    }

    /// <summary>
    /// So few that a newcomer need not wait long, so many that the calls cost little. A small batch, where the next call costs as much
    /// as going on, ends with its first sequence that is done.
    /// </summary>
    private int Steps(int rows, int shortest)
    {
        var steps = Math.Max(1, _options.ChunkEvents / rows);
        return steps < _options.MaxRunEvents ? steps : Math.Min(_options.MaxRunEvents, shortest);
    }

    private void Leave(BatchRequest request, Rejection? rejection)
    {
        Interlocked.Add(ref _pendingWork, request.Position - request.Work);
        if (request.Slot is { } slot)
        {
            request.Slot = null;
            GiveBack(slot);
        }

        request.Complete(rejection);
    }

    /// <summary>A slot that the engine does not take back is kept: the answer stands, and it is tried again when none is free.</summary>
    private bool GiveBack(Slot slot)
    {
        try
        {
            _engine.Return(slot);
            return true;
        }
        catch (Exception exception)
        {
            Report(exception);
            _lost.Add(slot);
            return false;
        }
    }

    private int TakeBackLost()
    {
        Slot[] lost = [.. _lost];
        _lost.Clear();
        foreach (var slot in lost)
            GiveBack(slot);
        return _engine.FreeSlots;
    }

    private void AbandonAll(Rejection rejection)
    {
        List<BatchRequest> all = [.. _arrived, .. _finished, .. _batch.Requests];
        while (_reading.Count > 0)
            all.Add(_reading.Take());
        lock (_worker.Gate)
        {
            while (_queue.Count > 0)
            {
                all.Add(_queue.Take());
                _places.Return();
            }
        }

        _arrived.Clear();
        _finished.Clear();
        _batch.Clear();
        foreach (var request in all)
        {
            // One that is already answered stands in two lists.
            if (!request.IsComplete)
                Leave(request, rejection);
        }
    }

    private Rejection? WhyRefused(BatchRequest request, long now) =>
        WhyGone(request, now) ?? (_clock.Between(request.QueuedAt, now) > _options.MaxQueueDelay ? Rejection.QueuedTooLong : null);

    private static Rejection? WhyGone(BatchRequest request, long now) =>
        request.CancellationToken.IsCancellationRequested ? Rejection.Cancelled
        : now >= request.Deadline ? Rejection.DeadlinePassed
        : null;

    /// <returns>What the requests that it concerns are answered.</returns>
    private Rejection Report(Exception exception)
    {
        if (exception is EngineLostException)
        {
            _observer.EngineLost(_model, exception.Message);
            return Rejection.EngineLost;
        }

        _observer.EngineFault(_model, exception);
        return Rejection.EngineFault;
    }
}
