using System.Globalization;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using GrpcRec.Engine.Cpu.Catalog;
using GrpcRec.Engine.Cpu.Encoders;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// The default engine: managed SIMD over packed weights. A step gathers what an event adds to the gates' sums from tables built at load,
/// adds the recurrent product, and activates; a row's result does not depend on its company (<see cref="BlockKernel"/>).
/// </summary>
public sealed unsafe class CpuEngine : IStepEngine
{
    private const int TileRows = CpuEncoder.MaxRuns;

    private readonly ModelArtifact _artifact;
    private readonly EngineOptions _options;
    private readonly CpuModel _model;
    private readonly HeadLayout _layout;
    private readonly SlotTable _slots;
    private readonly CpuEncoder _encoder;
    private readonly CpuScratch _scratch;
    private readonly CatalogScan _scan;
    private readonly CpuHeads _heads;
    private readonly RequestEmbedding _requests;
    private readonly int _kinds, _stateFloats;

    // The events of one call to Step, as runs of one.
    private readonly EventRun[] _runs = new EventRun[TileRows];
    private readonly int[] _items = new int[TileRows], _itemBehaviors = new int[TileRows];

    // [capacity, encoder's state ‖ memory].
    private readonly AlignedBuffer _states;
    private bool _disposed;

    /// <exception cref="EngineException">The machine has not the memory for the weights or the slots.</exception>
    public CpuEngine(ModelArtifact artifact, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(artifact);
        ArgumentNullException.ThrowIfNull(options);
        _artifact = artifact;
        _options = options;
        _layout = new HeadLayout(artifact.Manifest);
        _slots = new SlotTable(options.SlotCapacity);
        _kinds = new EventKinds(artifact.Manifest).Count;
        _requests = new RequestEmbedding(artifact);
        _model = CpuModelCache.Acquire(artifact, options);
        _stateFloats = _model.Encoder.StateFloats + (_model.Heads.Memory?.StateFloats ?? 0);
        var before = AlignedBuffer.HeldByThread;
        try
        {
            // A slot is cleared when it is rented.
            _states = new AlignedBuffer((long)options.SlotCapacity * _stateFloats, cleared: false);
        }
        catch
        {
            CpuModelCache.Release(artifact, options);
            throw;
        }

        _encoder = _model.Encoder.CreateEncoder();
        _scratch = CpuScratch.ForHeads(_model);
        _scan = new CatalogScan(_model, _scratch, options.SpareThreads);
        _heads = new CpuHeads(_model, _scratch, _scan, _layout);
        Memory = new EngineMemory
        {
            BytesPerSlot = _stateFloats * sizeof(float),
            SlotBytes = _states.Bytes,
            BytesPerItem = _model.ItemBytes / _layout.CatalogSize,
            ItemBytes = _model.ItemBytes,
            WeightBytes = _model.Bytes - _model.ItemBytes,
            ScratchBytes = AlignedBuffer.HeldByThread - before - _states.Bytes,
        };
    }

    /// <summary>The processor has vectors and fused multiply-add that make this engine worth choosing.</summary>
    public static bool IsAccelerated => Vector512.IsHardwareAccelerated || (Vector256.IsHardwareAccelerated && Fma.IsSupported) || AdvSimd.Arm64.IsSupported;

    public string Name => "cpu-" + _model.Kernel.Name;

    public Precision? Precision => _model.Encoder.Precision;

    /// <summary>The items' part of the gates is read from a table; false: computed in each step, because the table is past the budget.</summary>
    public bool UsesGateTable => _model.Encoder.HasItemTable;

    /// <summary>The same of the items' part of the candidate tasks' trunk.</summary>
    public bool UsesBottomTable => _model.Heads.Trunk?.HasItemTable ?? false;

    /// <summary>Memory of the tables, shared by the engines of an artefact.</summary>
    public long TableBytes => _model.TableBytes;

    public EngineMemory Memory { get; }

    /// <summary>What was chosen at load, for the log.</summary>
    public string Description => string.Create(CultureInfo.InvariantCulture,
        $"{Name}, {Precision}, gate table {(UsesGateTable ? "in memory" : "computed per step")}, bottom table {(UsesBottomTable ? "in memory" : "none")}, {TableBytes / (1024.0 * 1024.0):F1} MiB of tables{(_options.Instead is null ? "" : $"; {_options.Instead}")}");

    public int HiddenSize => _model.Hidden;

    public int CatalogSize => _layout.CatalogSize;

    public int CandidateWidth => _layout.CandidateWidth;

    public int SequenceWidth => _layout.SequenceWidth;

    public int SlotCapacity => _slots.Capacity;

    public int FreeSlots => _slots.Free;

    public bool TryRent(out Slot slot)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_slots.TryRent(out slot))
            return false;
        new Span<float>(State(slot), _stateFloats).Clear();
        return true;
    }

    public void Return(Slot slot)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _slots.Return(slot);
    }

    public void Step(ReadOnlySpan<StepEvent> events)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _slots.Check(events, CatalogSize, _kinds);
        for (var done = 0; done < events.Length; done += TileRows)
        {
            var count = Math.Min(TileRows, events.Length - done);
            for (var r = 0; r < count; r++)
            {
                var e = events[done + r];
                _runs[r] = new EventRun(e.Slot, r, 1);
                _items[r] = e.Item;
                _itemBehaviors[r] = e.Behavior;
            }

            AdvanceTile(_runs.AsSpan(0, count), _items, _itemBehaviors);
        }

        GC.KeepAlive(this);
    }

    public void Advance(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _slots.Check(runs, items, behaviors, CatalogSize, _kinds);
        for (var done = 0; done < runs.Length; done += TileRows)
            AdvanceTile(runs.Slice(done, Math.Min(TileRows, runs.Length - done)), items, behaviors);
        GC.KeepAlive(this);
    }

    public void ReadHidden(Slot slot, Span<float> hidden)
    {
        HeadLayout.CheckLength(hidden.Length, HiddenSize, nameof(hidden));
        new ReadOnlySpan<float>(Top(slot).Hidden, HiddenSize).CopyTo(hidden);
        GC.KeepAlive(this);
    }

    public void ScoreCandidates(Slot slot, ReadOnlySpan<int> request, ReadOnlySpan<int> items, Span<float> logits)
    {
        var top = Top(slot);
        _layout.CheckRequest(request);
        _layout.CheckCandidates(items, logits.Length);
        var hidden = Widened(top.Hidden);
        _requests.CopyTo(request, new Span<float>(hidden + _model.Hidden, _model.State - _model.Hidden));
        _heads.ScoreCandidates(new SlotState(hidden, top.Memory), items, logits);
        GC.KeepAlive(this);
    }

    public void ScoreSequence(Slot slot, Span<float> logits)
    {
        var top = Top(slot);
        HeadLayout.CheckLength(logits.Length, SequenceWidth, nameof(logits));
        _heads.ScoreSequence(Widened(top.Hidden), logits);
        GC.KeepAlive(this);
    }

    public void ScoreCatalog(Slot slot, Span<float> logits)
    {
        var top = Top(slot);
        _layout.CheckNextItem();
        HeadLayout.CheckLength(logits.Length, CatalogSize, nameof(logits));
        _scan.ScoreAll(top, logits);
        GC.KeepAlive(this);
    }

    public void Rank(ReadOnlySpan<RankQuery> queries)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _layout.CheckQueries(queries, _slots);
        _scan.Begin();
        foreach (var query in queries)
            _scan.Add(query, Top(query.Slot));
        _scan.Run();
        GC.KeepAlive(this);
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _states.Dispose();
        _encoder.Dispose();
        _heads.Dispose();
        _scratch.Dispose();
        _scan.Dispose();
        CpuModelCache.Release(_artifact, _options);
    }

    private void AdvanceTile(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        var states = stackalloc float*[TileRows];
        for (var r = 0; r < runs.Length; r++)
            states[r] = State(runs[r].Slot);
        _encoder.Advance(runs, states, items, behaviors);
        if (_model.Heads.Memory is not { } memory)
            return;
        for (var r = 0; r < runs.Length; r++)
            memory.Advance(states[r] + _model.Encoder.StateFloats, items.Slice(runs[r].Start, runs[r].Count));
    }

    /// <summary>[_stateFloats].</summary>
    private float* State(Slot slot) => _states.Pointer + ((long)slot.Index * _stateFloats);

    /// <summary>Of a rented slot.</summary>
    private SlotState Top(Slot slot)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _slots.Check(slot);
        var state = State(slot);
        return new SlotState(_encoder.Hidden(state), state + _model.Encoder.StateFloats);
    }

    /// <summary>[H + R padded to 64] a copy, zero past H, for products that read whole blocks.</summary>
    private float* Widened(float* hidden)
    {
        new ReadOnlySpan<float>(hidden, _model.Hidden).CopyTo(new Span<float>(_scratch.Hidden, _model.Hidden));
        new Span<float>(_scratch.Hidden + _model.Hidden, _model.State - _model.Hidden).Clear();
        return _scratch.Hidden;
    }
}
