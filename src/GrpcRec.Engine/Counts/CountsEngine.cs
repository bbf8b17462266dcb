using System.Globalization;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Counts;

/// <summary>
/// Serves what was counted, see <see cref="CountsManifest"/>. A slot's state is its last items. On the processor whatever kind of engine is
/// asked for: a few short rows are summed for each answer.
/// </summary>
public sealed class CountsEngine : IStepEngine
{
    private readonly CountsModel _model;
    private readonly HeadLayout _heads;
    private readonly SlotTable _slots;
    private readonly NeighbourSums _sums;
    private readonly CountsRanking _ranking;
    private readonly float[][] _itemBiases;
    private readonly int _behaviors, _reach;

    // [capacity, Reach] the last item first, and how many there are.
    private readonly int[] _last, _counts;

    /// <exception cref="EngineException">The model is of another kind, the slots' states are more than one array holds, or a reduced precision is asked for.</exception>
    public CountsEngine(ModelArtifact artifact, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(artifact);
        ArgumentNullException.ThrowIfNull(options);
        if (artifact.Manifest.Encoder.Kind != EncoderKind.Counts)
            throw new EngineException($"the counts engine does not run an encoder of kind {artifact.Manifest.Encoder.Kind}");
        if (options.Precision is { } precision and not Models.Precision.Float32)
            throw new EngineException($"a model of counts has no products, so it has no form in precision {precision}: use Float32");
        _model = CountsModel.Of(artifact);
        _heads = new HeadLayout(artifact.Manifest);
        _slots = new SlotTable(options.SlotCapacity);
        _sums = new NeighbourSums(_model);
        _ranking = new CountsRanking(_model, _sums);
        _itemBiases = [.. _heads.Candidate.Select(head => _model.ItemBiases[head.Task.Name])];
        _behaviors = artifact.Manifest.Behaviors.Count;
        _reach = _model.Reach;
        if ((long)options.SlotCapacity * _reach > Array.MaxLength)
            throw new EngineException($"SlotCapacity {options.SlotCapacity} with {_reach} items each is more than one array holds; at most {Array.MaxLength / _reach} slots");
        _last = new int[options.SlotCapacity * _reach];
        _counts = new int[options.SlotCapacity];
        Description = string.Create(CultureInfo.InvariantCulture,
            $"{Name}, last {_reach} items, {artifact.Manifest.Encoder.Counts!.Neighbours} neighbours{(options.Kind == EngineKind.Cuda ? "; counts have no form for a device" : "")}");
    }

    public string Name => "cpu-counts";

    public string Description { get; }

    public int HiddenSize => _reach;

    public int CatalogSize => _heads.CatalogSize;

    public int CandidateWidth => _heads.CandidateWidth;

    public int SequenceWidth => _heads.SequenceWidth;

    public bool RanksEqualScores => true;

    public int SlotCapacity => _slots.Capacity;

    public int FreeSlots => _slots.Free;

    public bool TryRent(out Slot slot)
    {
        if (!_slots.TryRent(out slot))
            return false;
        _counts[slot.Index] = 0;
        return true;
    }

    public void Return(Slot slot) => _slots.Return(slot);

    public void Step(ReadOnlySpan<StepEvent> events)
    {
        _slots.Check(events, CatalogSize, _behaviors);
        foreach (var e in events)
            Remember(e.Slot, e.Item);
    }

    public void Advance(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        _slots.Check(runs, items, behaviors, CatalogSize, _behaviors);
        foreach (var run in runs)
        {
            // What is older than the last of them would be pushed out again.
            foreach (var item in items.Slice(run.Start, run.Count)[Math.Max(0, run.Count - _reach)..])
                Remember(run.Slot, item);
        }
    }

    /// <param name="hidden">[Reach] dense ids of the last items, the last first; -1 where there was none.</param>
    public void ReadHidden(Slot slot, Span<float> hidden)
    {
        HeadLayout.CheckLength(hidden.Length, _reach, nameof(hidden));
        var last = Last(slot);
        for (var n = 0; n < hidden.Length; n++)
            hidden[n] = n < last.Length ? last[n] : -1;
    }

    public void ScoreCandidates(Slot slot, ReadOnlySpan<int> request, ReadOnlySpan<int> items, Span<float> logits)
    {
        _heads.CheckRequest(request);
        _heads.CheckCandidates(items, logits.Length);
        var last = Last(slot);
        if (_heads.HasNextItem)
            _sums.Load(last);
        for (var n = 0; n < items.Length; n++)
        {
            var row = logits.Slice(n * CandidateWidth, CandidateWidth);
            if (_heads.HasNextItem)
                row[_heads.NextItemOffset] = _sums.Score(items[n]);
            for (var task = 0; task < _itemBiases.Length; task++)
                row[_heads.Candidate[task].Offset] = _itemBiases[task][items[n]];
        }
    }

    public void ScoreSequence(Slot slot, Span<float> logits)
    {
        HeadLayout.CheckLength(logits.Length, SequenceWidth, nameof(logits));
        Last(slot);
    }

    public void ScoreCatalog(Slot slot, Span<float> logits)
    {
        _heads.CheckNextItem();
        HeadLayout.CheckLength(logits.Length, CatalogSize, nameof(logits));
        _sums.Load(Last(slot));
        _model.LogShares.CopyTo(logits);
        foreach (var item in _sums.Items)
            logits[item] = _sums.Score(item);
    }

    public void Rank(ReadOnlySpan<RankQuery> queries)
    {
        _heads.CheckQueries(queries, _slots);
        foreach (var query in queries)
        {
            _sums.Load(Last(query.Slot));
            _ranking.Run(query);
        }
    }

    public void Dispose()
    {
    }

    private void Remember(Slot slot, int item)
    {
        var state = _last.AsSpan(slot.Index * _reach, _reach);
        state[..^1].CopyTo(state[1..]);
        state[0] = item;
        _counts[slot.Index] = Math.Min(_reach, _counts[slot.Index] + 1);
    }

    private ReadOnlySpan<int> Last(Slot slot)
    {
        _slots.Check(slot);
        return _last.AsSpan(slot.Index * _reach, _counts[slot.Index]);
    }
}
