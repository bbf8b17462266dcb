using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;

namespace GrpcRec.Engine.Tests.Steps;

/// <summary>An engine that does not read a feature says so, and never leaves it out in silence.</summary>
public sealed class FeatureRefusalTests
{
    [Fact]
    public void Cuda_ModelWithFeatures_IsRefusedByName()
    {
        var options = new EngineOptions();
        var plain = RandomModel.Manifest(new ModelShape(16));
        Assert.Null(CudaShape.WhyNot(plain, options));
        Assert.Equal("event features", CudaShape.WhyNot(RandomModel.Manifest(new ModelShape(16) { Events = true }), options));
        Assert.Equal("request features", CudaShape.WhyNot(RandomModel.Manifest(new ModelShape(16) { Requests = true }), options));
        Assert.Equal("item terms of tasks", CudaShape.WhyNot(plain with { Tasks = [.. plain.Tasks.Select(task => task with { ItemBias = task.Kind == TaskKind.Binary })] }, options));
    }

    [Fact]
    public void ScoreCandidates_EngineWithoutRequestFeatures_RefusesWhatIsKnownAlone()
    {
        using var engine = new Plain(RandomModel.Create(new ModelShape(16)));
        IStepEngine seen = engine;
        Assert.True(seen.TryRent(out var slot));
        var logits = new float[seen.CandidateWidth];
        seen.ScoreCandidates(slot, [], [0], logits);
        seen.ScoreCandidates(slot, [0, 0], [0], logits);
        Assert.Throws<NotSupportedException>(() => seen.ScoreCandidates(slot, [0, 1], [0], logits));
    }

    /// <summary>An engine from before there were features.</summary>
    private sealed class Plain(ModelArtifact model) : IStepEngine
    {
        private readonly IStepEngine _inner = OperatorCases.Create(model, Backend.Scalar, slots: 1);

        public string Name => "plain";

        public int HiddenSize => _inner.HiddenSize;

        public int CatalogSize => _inner.CatalogSize;

        public int CandidateWidth => _inner.CandidateWidth;

        public int SequenceWidth => _inner.SequenceWidth;

        public int SlotCapacity => _inner.SlotCapacity;

        public int FreeSlots => _inner.FreeSlots;

        public bool TryRent(out Slot slot) => _inner.TryRent(out slot);

        public void Return(Slot slot) => _inner.Return(slot);

        public void Step(ReadOnlySpan<StepEvent> events) => _inner.Step(events);

        public void Advance(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors) => _inner.Advance(runs, items, behaviors);

        public void ReadHidden(Slot slot, Span<float> hidden) => _inner.ReadHidden(slot, hidden);

        public void ScoreCandidates(Slot slot, ReadOnlySpan<int> items, Span<float> logits) => _inner.ScoreCandidates(slot, items, logits);

        public void ScoreSequence(Slot slot, Span<float> logits) => _inner.ScoreSequence(slot, logits);

        public void ScoreCatalog(Slot slot, Span<float> logits) => _inner.ScoreCatalog(slot, logits);

        public void Rank(ReadOnlySpan<Engine.Ranking.RankQuery> queries) => _inner.Rank(queries);

        public void Dispose() => _inner.Dispose();
    }
}
