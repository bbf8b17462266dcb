using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Serving.Tests.Batching;

/// <summary>A real engine that notes, at each call, how much its thread has allocated so far: the worker's own code and the engine's.</summary>
public sealed class MeteredEngine(IStepEngine inner) : IStepEngine
{
    private long _allocated;

    /// <summary>Bytes of the calling thread, at the last call of <see cref="Advance"/>.</summary>
    public long AllocatedBytes => Volatile.Read(ref _allocated);

    public string Name => inner.Name;
    public int HiddenSize => inner.HiddenSize;
    public int CatalogSize => inner.CatalogSize;
    public int CandidateWidth => inner.CandidateWidth;
    public int SequenceWidth => inner.SequenceWidth;
    public int SlotCapacity => inner.SlotCapacity;
    public int FreeSlots => inner.FreeSlots;

    public bool TryRent(out Slot slot) => inner.TryRent(out slot);

    public void Return(Slot slot) => inner.Return(slot);

    public void Step(ReadOnlySpan<StepEvent> events) => inner.Step(events);

    public void Advance(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        Volatile.Write(ref _allocated, GC.GetAllocatedBytesForCurrentThread());
        inner.Advance(runs, items, behaviors);
    }

    public void ReadHidden(Slot slot, Span<float> hidden) => inner.ReadHidden(slot, hidden);

    public void ScoreCandidates(Slot slot, ReadOnlySpan<int> request, ReadOnlySpan<int> items, Span<float> logits) => inner.ScoreCandidates(slot, request, items, logits);

    public void ScoreSequence(Slot slot, Span<float> logits) => inner.ScoreSequence(slot, logits);

    public void ScoreCatalog(Slot slot, Span<float> logits) => inner.ScoreCatalog(slot, logits);

    public void Rank(ReadOnlySpan<RankQuery> queries) => inner.Rank(queries);

    public void Dispose() => inner.Dispose();
}
