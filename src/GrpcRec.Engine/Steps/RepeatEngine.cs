using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;

namespace GrpcRec.Engine.Steps;

/// <summary>
/// An engine of whatever kind, with the terms of repeated items (<see cref="RepeatTerms"/>) in its next_item logits. It remembers the events
/// that a slot has read; the items among them are left out of the engine's scan, ranked by themselves with their terms, and merged.
/// </summary>
internal sealed class RepeatEngine : IStepEngine
{
    private readonly IStepEngine _engine;
    private readonly HeadLayout _heads;
    private readonly float[] _terms;
    private readonly int _reach;

    // By slot: the items of its last events, a ring, and how many events it has read. A slot's index may bear more than its place (CudaFailover).
    private readonly int[]?[] _read;
    private readonly long[] _counts;

    private readonly RepeatedItems _repeated;

    /// <param name="engine">Taken over: disposed of with this one.</param>
    public RepeatEngine(IStepEngine engine, ModelArtifact artifact)
    {
        _engine = engine;
        _heads = new HeadLayout(artifact.Manifest);
        _terms = artifact.Weights(ModelTensors.RepeatTerm).ToArray();
        _reach = artifact.Manifest.MaxSequenceLength;
        _read = new int[engine.SlotCapacity][];
        _counts = new long[engine.SlotCapacity];
        _repeated = new RepeatedItems(engine.CatalogSize);
    }

    public string Name => _engine.Name;

    public string Description => _engine.Description;

    public Precision? Precision => _engine.Precision;

    public int HiddenSize => _engine.HiddenSize;

    public int CatalogSize => _engine.CatalogSize;

    public int CandidateWidth => _engine.CandidateWidth;

    public int SequenceWidth => _engine.SequenceWidth;

    public bool RanksEqualScores => _engine.RanksEqualScores;

    public int SlotCapacity => _engine.SlotCapacity;

    public int FreeSlots => _engine.FreeSlots;

    public bool IsLost => _engine.IsLost;

    public bool TryRent(out Slot slot)
    {
        if (!_engine.TryRent(out slot))
            return false;
        _counts[Place(slot)] = 0;
        return true;
    }

    public void Return(Slot slot) => _engine.Return(slot);

    public void Step(ReadOnlySpan<StepEvent> events)
    {
        _engine.Step(events);
        foreach (var one in events)
            Remember(one.Slot, [one.Item]);
    }

    public void Advance(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        _engine.Advance(runs, items, behaviors);
        foreach (var run in runs)
            Remember(run.Slot, items.Slice(run.Start, run.Count));
    }

    public void ReadHidden(Slot slot, Span<float> hidden) => _engine.ReadHidden(slot, hidden);

    public void ScoreSequence(Slot slot, Span<float> logits) => _engine.ScoreSequence(slot, logits);

    public void ScoreCandidates(Slot slot, ReadOnlySpan<int> request, ReadOnlySpan<int> items, Span<float> logits)
    {
        _engine.ScoreCandidates(slot, request, items, logits);
        Look(slot);
        for (var n = 0; n < items.Length; n++)
            logits[(n * _heads.CandidateWidth) + _heads.NextItemOffset] += TermOf(items[n]);
    }

    public void ScoreCatalog(Slot slot, Span<float> logits)
    {
        _engine.ScoreCatalog(slot, logits);
        Look(slot);
        foreach (var item in _repeated.Items)
            logits[item] += TermOf(item);
    }

    public void Rank(ReadOnlySpan<RankQuery> queries)
    {
        // 1. For each query one of what is new to the sequence, and one of what it has, where that leaves something.
        var news = new RankQuery[queries.Length];
        var repeats = new (RankQuery Query, float[] Terms)?[queries.Length];
        for (var n = 0; n < queries.Length; n++)
        {
            var query = queries[n];
            Look(query.Slot);
            var own = Own(query);
            var excluded = own.Length == 0 ? query.Excluded : query.Excluded.Length == 0 ? own : [.. query.Excluded.Concat(own).Order()];
            news[n] = new RankQuery { Slot = query.Slot, K = query.K, Excluded = excluded, Filter = query.Filter };
            if (own.Length > 0)
                repeats[n] = (new RankQuery { Slot = query.Slot, K = own.Length, Filter = (query.Filter ?? new RankFilter()) with { AllowedItems = own } }, Array.ConvertAll(own, TermOf));
        }

        _engine.Rank([.. news, .. repeats.Where(repeat => repeat is not null).Select(repeat => repeat!.Value.Query)]);

        // 2. Merge.
        for (var n = 0; n < queries.Length; n++)
            queries[n].Result = repeats[n] is { } repeat ? Merge(queries[n].K, news[n].Result, repeat.Query, repeat.Terms) : news[n].Result;
    }

    public void Dispose() => _engine.Dispose();

    /// <returns>What the sequence has of the items that a query's lists ask for, ascending; of its categories the engine judges.</returns>
    private int[] Own(RankQuery query)
    {
        var own = new List<int>();
        foreach (var item in _repeated.Items)
        {
            if (Array.BinarySearch(query.Excluded, item) < 0 && (query.Filter?.AllowedItems is not { } allowed || Array.BinarySearch(allowed, item) >= 0))
                own.Add(item);
        }

        own.Sort();
        return [.. own];
    }

    /// <param name="terms">Of the items that the repeats were asked among, in their order.</param>
    private static RankedItem[] Merge(int k, RankedItem[] news, RankQuery repeats, float[] terms)
    {
        var items = repeats.Filter!.AllowedItems!;
        var all = new List<RankedItem>(news);
        // Where there are k new items, a repeat that scores less than the last of them has no place: that is most, where nothing is taken twice.
        var least = news.Length < k ? float.NegativeInfinity : news[^1].Score;
        foreach (var ranked in repeats.Result)
        {
            var score = ranked.Score + terms[Array.BinarySearch(items, ranked.Item)];
            if (!(score < least))
                all.Add(ranked with { Score = score });
        }

        all.Sort((a, b) => b.Score.CompareTo(a.Score) is var byScore && byScore != 0 ? byScore : a.Item.CompareTo(b.Item));
        return [.. all.Take(k)];
    }

    /// <summary>0 of an item that the sequence does not have.</summary>
    private float TermOf(int item) => _repeated.TermOf(item) is var term and >= 0 ? _terms[term] : 0;

    private void Look(Slot slot)
    {
        _repeated.Clear();
        var (read, count) = (_read[Place(slot)], _counts[Place(slot)]);
        for (var since = 0; since < Math.Min(count, _reach); since++)
            _repeated.Add(read![(count - 1 - since) % _reach], since);
    }

    private void Remember(Slot slot, ReadOnlySpan<int> items)
    {
        var place = Place(slot);
        var read = _read[place] ??= new int[_reach];
        foreach (var item in items)
            read[_counts[place]++ % _reach] = item;
    }

    // A slot that is none falls somewhere; the engine itself refuses it.
    private int Place(Slot slot) => (int)((uint)slot.Index % (uint)SlotCapacity);
}
