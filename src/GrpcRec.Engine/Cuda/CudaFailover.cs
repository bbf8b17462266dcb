using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cuda;

/// <summary>
/// A CUDA engine that outlives its device. When the device is lost the call in hand throws <see cref="EngineLostException"/>, and so does
/// every call on a slot that was rented before: its state is gone. Then, as configured, a new engine is made on the device, or the CPU
/// takes over, or nothing answers any more. A slot's index bears the number of the engine that it was rented from.
/// </summary>
public sealed class CudaFailover : IStepEngine
{
    /// <summary>Devices that are lost more often than this are broken.</summary>
    private const int MaxGenerations = 256;

    private static readonly TimeSpan RetryEvery = TimeSpan.FromSeconds(1);

    private readonly ModelArtifact _artifact;
    private readonly EngineOptions _options;
    private readonly int _capacity;
    private readonly Func<IStepEngine> _make;
    private readonly Lock _gate = new();
    private IStepEngine? _engine;
    private int _generation, _rented;
    private bool _disposed;

    // Under the gate, which nobody holds for long: whoever asks for a slot takes it. A new engine is made by the timer, and put into use
    // by the thread that calls. Wanted: lost, and no other engine made yet.
    private IStepEngine? _standby;
    private ITimer? _retry;
    private bool _isWanted;
    private EventRun[] _runs = [];
    private StepEvent[] _events = [];

    /// <exception cref="EngineException">The engine cannot be made at all.</exception>
    public CudaFailover(ModelArtifact artifact, EngineOptions options)
        : this(artifact, options, () => new CudaEngine(artifact, options))
    {
    }

    /// <param name="make">Makes the first engine and those that follow it on the device.</param>
    internal CudaFailover(ModelArtifact artifact, EngineOptions options, Func<IStepEngine> make)
    {
        (_artifact, _options, _make) = (artifact, options, make);
        _capacity = options.SlotCapacity;
        _engine = make();
        (HiddenSize, CatalogSize, CandidateWidth, SequenceWidth) = (_engine.HiddenSize, _engine.CatalogSize, _engine.CandidateWidth, _engine.SequenceWidth);
        Name = _engine.Name;
        options.Cuda.Health?.Made(this);
    }

    public string Name { get; private set; }

    public string Description => _engine?.Description ?? Name;

    public Precision? Precision => _engine?.Precision;

    public int HiddenSize { get; }

    public int CatalogSize { get; }

    public int CandidateWidth { get; }

    public int SequenceWidth { get; }

    public int SlotCapacity => _capacity;

    public int FreeSlots
    {
        get
        {
            Adopt();
            return _engine is null ? 0 : Math.Min(_engine.FreeSlots, _capacity - _rented);
        }
    }

    public bool IsLost
    {
        get
        {
            Adopt();
            return _engine is null;
        }
    }

    /// <summary>Times that another engine took over.</summary>
    public int Generation => _generation;

    public bool TryRent(out Slot slot)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Adopt();
        slot = default;
        if (_engine is null || _rented == _capacity || !_engine.TryRent(out var inner))
            return false;
        slot = new Slot((_generation * _capacity) + inner.Index);
        _rented++;
        return true;
    }

    public void Return(Slot slot)
    {
        if (_engine is not null && IsCurrent(slot))
            _engine.Return(Inner(slot));
        else if ((uint)slot.Index >= (uint)(_generation + 1) * (uint)_capacity || _rented == 0)
            throw new InvalidOperationException($"slot {slot.Index} is not rented from this engine");
        _rented--;
    }

    public void Step(ReadOnlySpan<StepEvent> events)
    {
        var engine = Engine();
        foreach (var one in events)
            Check(one.Slot);
        if (_events.Length < events.Length)
            _events = new StepEvent[events.Length];
        for (var n = 0; n < events.Length; n++)
            _events[n] = events[n] with { Slot = Inner(events[n].Slot) };
        try
        {
            engine.Step(_events.AsSpan(0, events.Length));
        }
        catch (EngineLostException exception)
        {
            Lose(exception);
            throw;
        }
    }

    public void Advance(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        var engine = Engine();
        foreach (var run in runs)
            Check(run.Slot);
        if (_runs.Length < runs.Length)
            _runs = new EventRun[runs.Length];
        for (var n = 0; n < runs.Length; n++)
            _runs[n] = runs[n] with { Slot = Inner(runs[n].Slot) };
        try
        {
            engine.Advance(_runs.AsSpan(0, runs.Length), items, behaviors);
        }
        catch (EngineLostException exception)
        {
            Lose(exception);
            throw;
        }
    }

    public void ReadHidden(Slot slot, Span<float> hidden)
    {
        var engine = Engine();
        Check(slot);
        try
        {
            engine.ReadHidden(Inner(slot), hidden);
        }
        catch (EngineLostException exception)
        {
            Lose(exception);
            throw;
        }
    }

    public void ScoreCandidates(Slot slot, ReadOnlySpan<int> request, ReadOnlySpan<int> items, Span<float> logits)
    {
        var engine = Engine();
        Check(slot);
        try
        {
            engine.ScoreCandidates(Inner(slot), request, items, logits);
        }
        catch (EngineLostException exception)
        {
            Lose(exception);
            throw;
        }
    }

    public void ScoreSequence(Slot slot, Span<float> logits)
    {
        var engine = Engine();
        Check(slot);
        try
        {
            engine.ScoreSequence(Inner(slot), logits);
        }
        catch (EngineLostException exception)
        {
            Lose(exception);
            throw;
        }
    }

    public void ScoreCatalog(Slot slot, Span<float> logits)
    {
        var engine = Engine();
        Check(slot);
        try
        {
            engine.ScoreCatalog(Inner(slot), logits);
        }
        catch (EngineLostException exception)
        {
            Lose(exception);
            throw;
        }
    }

    public void Rank(ReadOnlySpan<RankQuery> queries)
    {
        var engine = Engine();
        foreach (var query in queries)
            Check(query.Slot);
        try
        {
            if (_generation == 0)
            {
                engine.Rank(queries);
                return;
            }

            var inner = new RankQuery[queries.Length];
            for (var n = 0; n < inner.Length; n++)
                inner[n] = new RankQuery { Slot = Inner(queries[n].Slot), K = queries[n].K, Excluded = queries[n].Excluded, Filter = queries[n].Filter };
            engine.Rank(inner);
            for (var n = 0; n < inner.Length; n++)
                queries[n].Result = inner[n].Result;
        }
        catch (EngineLostException exception)
        {
            Lose(exception);
            throw;
        }
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        lock (_gate)
        {
            _disposed = true;
            _retry?.Dispose();
            _standby?.Dispose();
        }

        _engine?.Dispose();
        _options.Cuda.Health?.Gone(this);
    }

    private bool IsCurrent(Slot slot) => slot.Index / _capacity == _generation;

    private Slot Inner(Slot slot) => new(slot.Index - (_generation * _capacity));

    private void Check(Slot slot)
    {
        if (slot.Index >= 0 && slot.Index / _capacity < _generation)
            throw new EngineLostException("the sequence's state was lost with the device that held it");
    }

    private IStepEngine Engine()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Adopt();
        return _engine ?? throw new EngineLostException("the CUDA device is lost and not yet back");
    }

    private void Lose(EngineLostException exception)
    {
        _engine?.Dispose();
        _engine = null;
        _generation++;
        _options.Cuda.Health?.Lost(this, exception.Message);
        if (_options.Cuda.OnLoss == DeviceLossAction.Fail || _generation > MaxGenerations)
            return;
        lock (_gate)
            _isWanted = true;
        if (!TryMake())
            RetryLater();

        Adopt();
    }

    /// <summary>Puts a new engine into use, where one was made.</summary>
    private void Adopt()
    {
        if (_engine is { IsLost: false } || _disposed)
            return;
        if (_engine is not null)
        {
            // Another engine of the device saw the loss first.
            Lose(new EngineLostException("the CUDA device was lost"));
            return;
        }

        lock (_gate)
            (_engine, _standby) = (_standby, null);
        Name = _engine?.Name ?? Name;
    }

    /// <returns>False: to be tried again. True too where no engine is wanted any more.</returns>
    private bool TryMake()
    {
        lock (_gate)
        {
            if (_disposed || !_isWanted)
                return true;
        }

        // 1. Outside of the gate: it takes seconds. Nobody else makes one: it is either the thread that lost the device or, later, the timer.
        var toCpu = _options.Cuda.OnLoss == DeviceLossAction.Cpu;
        IStepEngine made;
        try
        {
            made = toCpu ? CpuInstead() : _make();
        }
#pragma warning disable CA1031 // Whatever it was, memory too, it may be otherwise in a second; on the timer's thread it would end the process.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            lock (_gate)
            {
                // Whoever is disposed has said that it is gone, and must not be counted again.
                if (!_disposed)
                    _options.Cuda.Health?.Lost(this, $"the CUDA engine does not come back: {exception.Message}");
                return _disposed;
            }
        }

        // 2. Under it, health too: the thread that calls cannot lose the new engine before it is told to be there.
        lock (_gate)
        {
            if (!_disposed)
            {
                (_standby, _isWanted) = (made, false);
                _retry?.Dispose();
                _retry = null;
                _options.Cuda.Health?.Recovered(this, degraded: toCpu, toCpu ? $"the CPU engine {made.Name} took over" : $"{made.Name} is back");
                return true;
            }
        }

        made.Dispose();
        return true;
    }

    /// <summary>On a timer, not when somebody calls: who is unhealthy is not called. One shot, set again after each attempt: attempts never overlap.</summary>
    private void RetryLater()
    {
        lock (_gate)
        {
            if (_disposed || !_isWanted)
                return;
            _retry ??= _options.Cuda.Time.CreateTimer(_ => Retry(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _retry.Change(RetryEvery, Timeout.InfiniteTimeSpan);
        }
    }

    private void Retry()
    {
        try
        {
            if (TryMake())
                return;
        }
#pragma warning disable CA1031 // Of whoever listens to health: nothing may leave a timer's thread, and the engine is wanted all the same.
        catch (Exception)
#pragma warning restore CA1031
        {
        }

        RetryLater();
    }

    private IStepEngine CpuInstead() => StepEngineFactory.OfKind(_artifact, _options with { Kind = StepEngineFactory.OnProcessor });
}
