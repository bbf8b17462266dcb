using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Serving.Tests.Batching;

/// <summary>A real engine that waits before each step until it is let, writes down what it was asked, and fails when told to.</summary>
public sealed class GatedEngine(IStepEngine inner) : IStepEngine
{
    private readonly SemaphoreSlim _permits = new(0);
    private readonly SemaphoreSlim _waiting = new(0);
    private bool _isWarmUp, _hasLost;

    /// <summary>Items of each call, one sequence's after the other's.</summary>
    public List<int[]> Steps { get; } = [];

    public int Disposals { get; private set; }

    public Func<int[], bool> FailsOn { get; set; } = _ => false;

    public bool FailsToRank { get; set; }

    public bool FailsToReturn { get; set; }

    /// <summary>The device is lost: no slots, and nothing works.</summary>
    public bool HasLost { get => Volatile.Read(ref _hasLost); set => Volatile.Write(ref _hasLost, value); }

    /// <summary>Number of queries of each Rank.</summary>
    public List<int> Ranks { get; } = [];

    public string Name => inner.Name;
    public int HiddenSize => inner.HiddenSize;
    public int CatalogSize => inner.CatalogSize;
    public int CandidateWidth => inner.CandidateWidth;
    public int SequenceWidth => inner.SequenceWidth;
    public int SlotCapacity => inner.SlotCapacity;
    public int FreeSlots => HasLost ? 0 : inner.FreeSlots;
    public bool IsLost => HasLost;

    /// <summary>Lets that many steps happen.</summary>
    public void Permit(int steps = 1) => _permits.Release(steps);

    /// <summary>From here on nothing waits.</summary>
    public void Open() => Permit(1_000_000);

    /// <summary>The next step is a registry's trial run: not gated, not written down.</summary>
    public void ExpectWarmUp() => _isWarmUp = true;

    /// <summary>Completes when the engine stands before its next step.</summary>
    public Task StandsBeforeStepAsync() => _waiting.WaitAsync(TimeSpan.FromSeconds(30));

    /// <returns>False: not within that time.</returns>
    public Task<bool> StandsBeforeStepAsync(TimeSpan patience) => _waiting.WaitAsync(patience);

    public bool TryRent(out Slot slot)
    {
        slot = default;
        return !HasLost && inner.TryRent(out slot);
    }

    public void Return(Slot slot)
    {
        if (FailsToReturn)
            throw new InvalidOperationException("planted fault");
        inner.Return(slot);
    }

    public void Step(ReadOnlySpan<StepEvent> events) => inner.Step(events);

    public void Advance(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        if (_isWarmUp)
        {
            _isWarmUp = false;
            inner.Advance(runs, items, behaviors);
            return;
        }

        _waiting.Release();
        _permits.Wait();
        Steps.Add(items.ToArray());
        if (FailsOn(Steps[^1]))
            throw new InvalidOperationException("planted fault");
        inner.Advance(runs, items, behaviors);
    }

    public void ReadHidden(Slot slot, Span<float> hidden) => inner.ReadHidden(slot, hidden);

    public void ScoreCandidates(Slot slot, ReadOnlySpan<int> request, ReadOnlySpan<int> items, Span<float> logits) => inner.ScoreCandidates(slot, request, items, logits);

    public void ScoreSequence(Slot slot, Span<float> logits) => inner.ScoreSequence(slot, logits);

    public void ScoreCatalog(Slot slot, Span<float> logits) => inner.ScoreCatalog(slot, logits);

    public void Rank(ReadOnlySpan<RankQuery> queries)
    {
        Ranks.Add(queries.Length);
        if (FailsToRank)
            throw new InvalidOperationException("planted fault");
        inner.Rank(queries);
    }

    public void Dispose()
    {
        Disposals++;
        inner.Dispose();
    }
}
