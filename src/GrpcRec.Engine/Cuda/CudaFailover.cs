using GrpcRec.Engine.Cpu;
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

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly ModelArtifact _artifact;
    private readonly EngineOptions _options;
    private readonly int _capacity;
    private readonly Func<IStepEngine> _make;
    private IStepEngine? _engine;
    private int _generation, _rented;
    private long _triedAt;
    private bool _disposed;
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
    }

    public string Name { get; private set; }

    public Precision Precision => _engine?.Precision ?? Precision.Float32;

    public int HiddenSize { get; }

    public int CatalogSize { get; }

    public int CandidateWidth { get; }

    public int SequenceWidth { get; }

    public int SlotCapacity => _capacity;

    public int FreeSlots => _engine is null ? 0 : Math.Min(_engine.FreeSlots, _capacity - _rented);

    public bool IsLost
    {
        get
        {
            Recover();
            return _engine is null;
        }
    }

    /// <summary>Times that another engine took over.</summary>
    public int Generation => _generation;

    public bool TryRent(out Slot slot)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Recover();
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

    public void ScoreCandidates(Slot slot, ReadOnlySpan<int> items, Span<float> logits)
    {
        var engine = Engine();
        Check(slot);
        try
        {
            engine.ScoreCandidates(Inner(slot), items, logits);
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
        _disposed = true;
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
        Recover();
        return _engine ?? throw new EngineLostException("the CUDA device is lost and not yet back");
    }

    private void Lose(EngineLostException exception)
    {
        _engine?.Dispose();
        _engine = null;
        _generation++;
        _triedAt = 0;
        _options.Cuda.Health?.Lost(this, exception.Message);
        Recover();
    }

    /// <summary>Tries to make another engine, at most once in <see cref="RetryAfter"/>.</summary>
    private void Recover()
    {
        if (_engine is { IsLost: false } || _disposed)
            return;
        if (_engine is not null)
        {
            // Another engine of the device saw the loss first.
            Lose(new EngineLostException("the CUDA device was lost"));
            return;
        }

        if (_options.Cuda.OnLoss == DeviceLossAction.Fail || _generation > MaxGenerations || (_triedAt != 0 && _options.Cuda.Time.GetElapsedTime(_triedAt) < RetryAfter))
            return;
        _triedAt = Math.Max(1, _options.Cuda.Time.GetTimestamp());
        try
        {
            var toCpu = _options.Cuda.OnLoss == DeviceLossAction.Cpu;
            _engine = toCpu ? CpuInstead() : _make();
            Name = _engine.Name;
            _options.Cuda.Health?.Recovered(this, degraded: toCpu, toCpu ? $"the CPU engine {Name} took over" : $"{Name} is back");
        }
        catch (Exception exception) when (exception is EngineException or EngineLostException)
        {
            _options.Cuda.Health?.Lost(this, $"the CUDA engine does not come back: {exception.Message}");
        }
    }

    private IStepEngine CpuInstead() => StepEngineFactory.Create(_artifact, _options with
    {
        Kind = CpuEngine.IsAccelerated ? EngineKind.Cpu : EngineKind.Scalar,
        Precision = _options.Precision,
    });
}
