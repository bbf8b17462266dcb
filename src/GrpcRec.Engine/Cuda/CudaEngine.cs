using System.Globalization;
using GrpcRec.Engine.Cuda.Driver;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cuda;

/// <summary>
/// Runs a model on an NVIDIA device: LSTM and GRU encoders, all heads, ranking with filters. Advancing does not wait for the device: the
/// next batch is prepared while it works, and whoever reads a result waits. What the device does not support is refused by name at load.
/// When the device is lost every call throws <see cref="EngineLostException"/>; <see cref="CudaFailover"/> is what comes back from that.
/// </summary>
public sealed class CudaEngine : IStepEngine
{
    private readonly CudaModel _model;
    private readonly SlotTable _slots;
    private readonly CudaParts _parts = new();
    private readonly CudaStates _states;
    private readonly CudaStream _stream;
    private readonly CudaAdvance _advance;
    private readonly CudaHeads _heads;
    private readonly CudaRanking? _ranking;
    private readonly EventRun[] _runs;
    private readonly int[] _items, _itemBehaviors;
    private readonly int _behaviors;
    private bool _disposed;

    /// <exception cref="EngineException">There is no such device, the model does not fit it, or is of a kind that it does not run.</exception>
    /// <exception cref="EngineLostException">The device was lost meanwhile.</exception>
    public CudaEngine(ModelArtifact artifact, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(artifact);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Cuda.Driver is { } driver)
            DriverLibrary.Use(driver);
        CudaModel? model = null;
        try
        {
            _model = model = CudaModelCache.Acquire(artifact, options);
            _behaviors = artifact.Manifest.Behaviors.Count;
            _slots = new SlotTable(options.SlotCapacity);
            _states = new CudaStates(model, _parts, options.SlotCapacity);
            _stream = _parts.Own(new CudaStream(model.Context));
            _advance = _parts.Own(new CudaAdvance(model, _parts, _states, _stream, options.SlotCapacity, options.Cuda.Graphs));
            _heads = new CudaHeads(model, _parts, _states, _stream);
            if (model.Layout.HasNextItem)
                _ranking = new CudaRanking(model, _parts, _states, _heads, _stream);
        }
        catch (Exception exception)
        {
            _parts.Dispose();
            if (model is not null)
                CudaModelCache.Release(model);
            if (exception is not CudaException fault)
                throw;
            if (fault.IsDeviceLost && model is not null)
                throw Lost(model.Context, fault);
            throw new EngineException($"the CUDA engine cannot be made: {fault.Message}", fault);
        }

        (_runs, _items, _itemBehaviors) = (new EventRun[options.SlotCapacity], new int[options.SlotCapacity], new int[options.SlotCapacity]);
        var shape = model.Shape;
        Memory = new EngineMemory
        {
            BytesPerSlot = (long)shape.StateFloats * sizeof(float),
            SlotBytes = _states.Bytes,
            BytesPerItem = model.BytesPerItem,
            ItemBytes = model.BytesPerItem * model.Layout.CatalogSize,
            WeightBytes = model.Bytes - (model.BytesPerItem * model.Layout.CatalogSize),
            ScratchBytes = _advance.WorkBytes + _heads.WorkBytes + (_ranking?.WorkBytes ?? 0),
        };
    }

    public string Name => $"cuda-sm{_model.Context.Capability}-{_model.Shape.Element.Suffix()}";

    public Precision? Precision => _model.Shape.Element switch
    {
        Element.Bf16 => Models.Precision.Bf16,
        Element.F32 => Models.Precision.Float32,
        _ => null,
    };

    /// <summary>The items' part of the gates is read from a table; false: computed for each batch.</summary>
    public bool UsesGateTable => _model.Layers[0].ItemRows != 0;

    /// <summary>A chunk of steps is one launch for each layer.</summary>
    public bool IsPersistent => _model.Shape.IsPersistent;

    /// <summary>In device memory.</summary>
    public EngineMemory Memory { get; }

    /// <summary>What was chosen at load, for the log.</summary>
    public string Description => string.Create(CultureInfo.InvariantCulture,
        $"{Name} on {_model.Context.Name}, {(IsPersistent ? "persistent" : "step by step")}, gate table {(UsesGateTable ? "in memory" : "computed per batch")}, {DeviceBudget.MiB(_model.Budget.Taken)} of {DeviceBudget.MiB(_model.Budget.Limit)} device memory, main kernel {_advance.Main.Name}: {_advance.Main.Registers} registers, {_advance.Main.Occupancy():P0} of a multiprocessor's threads");

    public int HiddenSize => _model.Shape.Hidden;

    public int CatalogSize => _model.Layout.CatalogSize;

    public int CandidateWidth => _model.Layout.CandidateWidth;

    public int SequenceWidth => _model.Layout.SequenceWidth;

    public int SlotCapacity => _slots.Capacity;

    public int FreeSlots => _slots.Free;

    public bool IsLost => !_model.Context.IsAlive;

    public bool TryRent(out Slot slot)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_slots.TryRent(out slot))
            return false;
        _states.Renew(slot);
        return true;
    }

    public void Return(Slot slot) => _slots.Return(slot);

    public void Step(ReadOnlySpan<StepEvent> events)
    {
        _slots.Check(events, CatalogSize, _behaviors);
        for (var n = 0; n < events.Length; n++)
        {
            _runs[n] = new EventRun(events[n].Slot, n, 1);
            (_items[n], _itemBehaviors[n]) = (events[n].Item, events[n].Behavior);
        }

        try
        {
            using var scope = _model.Context.Enter();
            _advance.Run(_runs.AsSpan(0, events.Length), _items.AsSpan(0, events.Length), _itemBehaviors.AsSpan(0, events.Length));
        }
        catch (CudaException fault)
        {
            throw Translate(fault);
        }
    }

    public void Advance(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        _slots.Check(runs, items, behaviors, CatalogSize, _behaviors);
        try
        {
            using var scope = _model.Context.Enter();
            _advance.Run(runs, items, behaviors);
        }
        catch (CudaException fault)
        {
            throw Translate(fault);
        }
    }

    public void ReadHidden(Slot slot, Span<float> hidden)
    {
        HeadLayout.CheckLength(hidden.Length, HiddenSize, nameof(hidden));
        _slots.Check(slot);
        try
        {
            using var scope = _model.Context.Enter();
            _heads.ReadHidden(slot, hidden);
        }
        catch (CudaException fault)
        {
            throw Translate(fault);
        }
    }

    public void ScoreCandidates(Slot slot, ReadOnlySpan<int> request, ReadOnlySpan<int> items, Span<float> logits)
    {
        _model.Layout.CheckRequest(request);
        _model.Layout.CheckCandidates(items, logits.Length);
        _slots.Check(slot);
        if (logits.IsEmpty)
            return;
        try
        {
            using var scope = _model.Context.Enter();
            _heads.ScoreCandidates(slot, items, logits);
            _model.Layout.Chain(logits);
        }
        catch (CudaException fault)
        {
            throw Translate(fault);
        }
    }

    public void ScoreSequence(Slot slot, Span<float> logits)
    {
        HeadLayout.CheckLength(logits.Length, SequenceWidth, nameof(logits));
        _slots.Check(slot);
        try
        {
            using var scope = _model.Context.Enter();
            _heads.ScoreSequence(slot, logits);
        }
        catch (CudaException fault)
        {
            throw Translate(fault);
        }
    }

    public void ScoreCatalog(Slot slot, Span<float> logits)
    {
        _model.Layout.CheckNextItem();
        HeadLayout.CheckLength(logits.Length, CatalogSize, nameof(logits));
        _slots.Check(slot);
        try
        {
            using var scope = _model.Context.Enter();
            _heads.ScoreCatalog(slot, logits);
        }
        catch (CudaException fault)
        {
            throw Translate(fault);
        }
    }

    public void Rank(ReadOnlySpan<RankQuery> queries)
    {
        _model.Layout.CheckQueries(queries, _slots);
        try
        {
            using var scope = _model.Context.Enter();
            _ranking!.Rank(queries);
        }
        catch (CudaException fault)
        {
            throw Translate(fault);
        }
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        // Work may be queued that reads what goes now; a lost device has none.
        _model.Context.Free(() => _ = CudaDriver.cuStreamSynchronize(_stream.Handle));
        _parts.Dispose();
        CudaModelCache.Release(_model);
    }

    private Exception Translate(CudaException fault) =>
        fault.IsDeviceLost ? Lost(_model.Context, fault) : new EngineException($"the CUDA engine failed: {fault.Message}", fault);

    /// <summary>The context goes for all engines on the device: nothing in it works any more.</summary>
    private static EngineLostException Lost(CudaContext context, CudaException fault)
    {
        if (context.IsAlive)
            CudaMetrics.DeviceLost();
        context.Abandon();
        return new EngineLostException($"the CUDA device {context.Name} was lost: {fault.Message}", fault);
    }
}
