using GrpcRec.Engine.Cpu.Scalar;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// The reference: the model's equations in plain loops, to be read as their specification, with <see cref="ScalarEncoder"/> and
/// <see cref="ScalarTrunk"/>. All in double precision, so that it stands closer to the exact answer than any engine that is compared
/// with it; results are float32.
/// </summary>
public sealed class ScalarEngine : IStepEngine
{
    private readonly ItemCatalog _items;
    private readonly ScalarTensors _tensors;
    private readonly ScalarEncoder _encoder;
    private readonly ScalarTrunk _trunk;
    private readonly HeadLayout _heads;
    private readonly SlotTable _slots;
    private readonly int _kinds, _e, _h;

    // [capacity, StateLength].
    private readonly double[] _states;

    /// <exception cref="EngineException">The slots' states are more than one array holds, or a reduced precision is asked for.</exception>
    public ScalarEngine(ModelArtifact artifact, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(artifact);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Precision is { } precision and not Precision.Float32)
            throw new EngineException($"the scalar engine does not run in precision {precision}: choose Kind Cpu, or Precision Float32");
        Description = options.Instead is null ? Name : $"{Name}; {options.Instead}";
        var encoder = artifact.Manifest.Encoder;
        _items = artifact.Items;
        _tensors = new ScalarTensors(artifact);
        _encoder = ScalarEncoder.Create(_tensors);
        _heads = new HeadLayout(artifact.Manifest);
        _trunk = new ScalarTrunk(_tensors, [.. _heads.Candidate.Select(head => head.Task.Name)]);
        _slots = new SlotTable(options.SlotCapacity);
        _kinds = new EventKinds(artifact.Manifest).Count;
        (_e, _h) = (encoder.EmbeddingSize, encoder.HiddenSize);
        if ((long)options.SlotCapacity * _encoder.StateLength > Array.MaxLength)
            throw new EngineException($"SlotCapacity {options.SlotCapacity} with states of {_encoder.StateLength} numbers is more than the scalar engine holds; at most {Array.MaxLength / _encoder.StateLength} slots");
        _states = new double[options.SlotCapacity * _encoder.StateLength];
    }

    public string Name => "cpu-scalar";

    public string Description { get; }

    public int HiddenSize => _h;

    public int CatalogSize => _heads.CatalogSize;

    public int CandidateWidth => _heads.CandidateWidth;

    public int SequenceWidth => _heads.SequenceWidth;

    public int SlotCapacity => _slots.Capacity;

    public int FreeSlots => _slots.Free;

    public bool TryRent(out Slot slot)
    {
        if (!_slots.TryRent(out slot))
            return false;
        State(slot).Clear();
        return true;
    }

    public void Return(Slot slot) => _slots.Return(slot);

    public void Step(ReadOnlySpan<StepEvent> events)
    {
        _slots.Check(events, CatalogSize, _kinds);
        foreach (var e in events)
            _encoder.Step(State(e.Slot), e.Item, e.Behavior);
    }

    public void Advance(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        _slots.Check(runs, items, behaviors, CatalogSize, _kinds);
        foreach (var run in runs)
        {
            for (var i = run.Start; i < run.Start + run.Count; i++)
                _encoder.Step(State(run.Slot), items[i], behaviors[i]);
        }
    }

    public void ReadHidden(Slot slot, Span<float> hidden)
    {
        HeadLayout.CheckLength(hidden.Length, _h, nameof(hidden));
        Round(Top(slot), hidden);
    }

    public void ScoreCandidates(Slot slot, ReadOnlySpan<int> request, ReadOnlySpan<int> items, Span<float> logits)
    {
        _heads.CheckRequest(request);
        _heads.CheckCandidates(items, logits.Length);
        var h = Top(slot);
        double[] state = [.. h, .. _tensors.Request(request)];
        var query = _heads.HasNextItem ? NextItemQuery(h) : [];
        for (var n = 0; n < items.Length; n++)
        {
            var row = logits.Slice(n * CandidateWidth, CandidateWidth);
            if (_heads.HasNextItem)
                row[_heads.NextItemOffset] = NextItemLogit(query, items[n]);
            if (_heads.Candidate.Length == 0)
                continue;
            var inputs = _trunk.Run(state, items[n]);
            for (var task = 0; task < inputs.Length; task++)
                Tower(_heads.Candidate[task], inputs[task], row, items[n]);
        }

        _heads.Chain(logits);
    }

    public void ScoreSequence(Slot slot, Span<float> logits)
    {
        HeadLayout.CheckLength(logits.Length, SequenceWidth, nameof(logits));
        var h = Top(slot);
        foreach (var head in _heads.Sequence)
            Tower(head, h, logits);
    }

    public void ScoreCatalog(Slot slot, Span<float> logits)
    {
        _heads.CheckNextItem();
        HeadLayout.CheckLength(logits.Length, CatalogSize, nameof(logits));
        var query = NextItemQuery(Top(slot));
        for (var item = 0; item < logits.Length; item++)
            logits[item] = NextItemLogit(query, item);
    }

    public void Rank(ReadOnlySpan<RankQuery> queries)
    {
        _heads.CheckQueries(queries, _slots);
        var logits = new float[CatalogSize];
        foreach (var query in queries)
        {
            ScoreCatalog(query.Slot, logits);
            query.Result = [.. Enumerable.Range(0, CatalogSize)
                .Where(item => Array.BinarySearch(query.Excluded, item) < 0 && query.Filter?.Allows(item, _items.Items[item].Category) != false)
                .Select(item => new RankedItem(item, logits[item]))
                .OrderByDescending(item => item.Score).ThenBy(item => item.Item)
                .Take(query.K)];
        }
    }

    public void Dispose()
    {
    }

    /// <summary>q = W·h + b.</summary>
    private double[] NextItemQuery(double[] h) => _tensors.Affine(h, ModelTensors.NextItemProjectionWeight, ModelTensors.NextItemProjectionBias);

    private float NextItemLogit(double[] query, int item)
    {
        var table = _tensors.Has(ModelTensors.NextItemEmbedding) ? ModelTensors.NextItemEmbedding : ModelTensors.ItemEmbedding;
        return (float)(_tensors.Weights(ModelTensors.NextItemBias)[item] + ScalarTensors.Dot(_tensors.Weights(table).Slice(item * _e, _e), query));
    }

    /// <summary>One task's logits from its input: relu layer (when the model has towers), then linear, then the item's own term.</summary>
    private void Tower(HeadColumn head, double[] x, Span<float> logits, int item = -1)
    {
        if (_tensors.Has(ModelTensors.TowerWeight(head.Task.Name)))
            x = _tensors.Relu(x, ModelTensors.TowerWeight(head.Task.Name), ModelTensors.TowerBias(head.Task.Name));
        var y = _tensors.Affine(x, ModelTensors.OutputWeight(head.Task.Name), ModelTensors.OutputBias(head.Task.Name));
        if (head.Task.ItemBias)
            y[0] += _tensors.Weights(ModelTensors.TaskItemBias(head.Task.Name))[item];
        Round(y, logits[head.Offset..]);
    }

    private static void Round(double[] values, Span<float> rounded)
    {
        for (var k = 0; k < values.Length; k++)
            rounded[k] = (float)values[k];
    }

    private Span<double> State(Slot slot) => _states.AsSpan(slot.Index * _encoder.StateLength, _encoder.StateLength);

    private double[] Top(Slot slot)
    {
        _slots.Check(slot);
        return _encoder.Hidden(State(slot));
    }
}
