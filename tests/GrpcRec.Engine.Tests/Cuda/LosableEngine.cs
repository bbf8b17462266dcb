using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Tests.Cuda;

/// <summary>A real engine whose device is lost when told so.</summary>
internal sealed class LosableEngine(IStepEngine inner) : IStepEngine
{
    public bool IsLost { get; set; }

    public bool IsDisposed { get; private set; }

    public string Name => inner.Name;

    public int HiddenSize => inner.HiddenSize;

    public int CatalogSize => inner.CatalogSize;

    public int CandidateWidth => inner.CandidateWidth;

    public int SequenceWidth => inner.SequenceWidth;

    public int SlotCapacity => inner.SlotCapacity;

    public int FreeSlots => inner.FreeSlots;

    public bool TryRent(out Slot slot) => inner.TryRent(out slot);

    public void Return(Slot slot) => inner.Return(slot);

    public void Step(ReadOnlySpan<StepEvent> events) => Present().Step(events);

    public void Advance(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors) => Present().Advance(runs, items, behaviors);

    public void ReadHidden(Slot slot, Span<float> hidden) => Present().ReadHidden(slot, hidden);

    public void ScoreCandidates(Slot slot, ReadOnlySpan<int> request, ReadOnlySpan<int> items, Span<float> logits) => Present().ScoreCandidates(slot, request, items, logits);

    public void ScoreSequence(Slot slot, Span<float> logits) => Present().ScoreSequence(slot, logits);

    public void ScoreCatalog(Slot slot, Span<float> logits) => Present().ScoreCatalog(slot, logits);

    public void Rank(ReadOnlySpan<RankQuery> queries) => Present().Rank(queries);

    public void Dispose()
    {
        IsDisposed = true;
        inner.Dispose();
    }

    private IStepEngine Present() => IsLost ? throw new EngineLostException("planted loss") : inner;
}
