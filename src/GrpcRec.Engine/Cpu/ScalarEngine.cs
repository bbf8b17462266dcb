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
    private readonly int _kinds, _e, _h, _stateLength;

    // [capacity, encoder's state ‖ memory].
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
        _stateLength = _encoder.StateLength + (_tensors.Has(ModelTensors.MemoryGain) ? _e : 0);
        if ((long)options.SlotCapacity * _stateLength > Array.MaxLength)
            throw new EngineException($"SlotCapacity {options.SlotCapacity} with states of {_stateLength} numbers is more than the scalar engine holds; at most {Array.MaxLength / _stateLength} slots");
        _states = new double[options.SlotCapacity * _stateLength];
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
            Step(State(e.Slot), e.Item, e.Behavior);
    }

    public void Advance(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        _slots.Check(runs, items, behaviors, CatalogSize, _kinds);
        foreach (var run in runs)
        {
            for (var i = run.Start; i < run.Start + run.Count; i++)
                Step(State(run.Slot), items[i], behaviors[i]);
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
        var query = _heads.HasNextItem ? NextItemQuery(slot) : [];
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
        var query = NextItemQuery(slot);
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

    /// <summary>One more event, of the encoder and of the memory: m' = σ(decay)∘m + E_out[item].</summary>
    private void Step(Span<double> state, int item, int kind)
    {
        _encoder.Step(state[.._encoder.StateLength], item, kind);
        var memory = state[_encoder.StateLength..];
        for (var k = 0; k < memory.Length; k++)
            memory[k] = (memory[k] / (1 + Math.Exp(-_tensors.Weights(ModelTensors.MemoryDecay)[k]))) + OutputEmbedding(item)[k];
    }

    /// <summary>q = W·h + b + gain∘m.</summary>
    private double[] NextItemQuery(Slot slot)
    {
        var query = _tensors.Affine(Top(slot), ModelTensors.NextItemProjectionWeight, ModelTensors.NextItemProjectionBias);
        var memory = State(slot)[_encoder.StateLength..];
        for (var k = 0; k < memory.Length; k++)
            query[k] += _tensors.Weights(ModelTensors.MemoryGain)[k] * memory[k];
        return query;
    }

    private float NextItemLogit(double[] query, int item) =>
        (float)(_tensors.Weights(ModelTensors.NextItemBias)[item] + ScalarTensors.Dot(OutputEmbedding(item), query));

    private ReadOnlySpan<float> OutputEmbedding(int item) =>
        _tensors.Weights(_tensors.Has(ModelTensors.NextItemEmbedding) ? ModelTensors.NextItemEmbedding : ModelTensors.ItemEmbedding).Slice(item * _e, _e);

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

    private Span<double> State(Slot slot) => _states.AsSpan(slot.Index * _stateLength, _stateLength);

    private double[] Top(Slot slot)
    {
        _slots.Check(slot);
        return _encoder.Hidden(State(slot)[.._encoder.StateLength]);
    }
}
