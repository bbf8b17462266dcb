using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Counts;
using GrpcRec.Engine.Tests.Models;

namespace GrpcRec.Engine.Tests.Steps;

/// <summary>An engine that does not read a feature or run a trunk says so, and never leaves it out in silence.</summary>
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
        Assert.Equal("an item memory of next_item", CudaShape.WhyNot(RandomModel.Manifest(new ModelShape(16) { Memory = true }), options));
        Assert.Equal("item terms of tasks", CudaShape.WhyNot(plain with { Tasks = [.. plain.Tasks.Select(task => task with { ItemBias = task.Kind == TaskKind.Binary })] }, options));
    }

    [Theory]
    [InlineData(TrunkKind.Mmoe, "trunk mmoe")]
    [InlineData(TrunkKind.Cgc, "trunk cgc")]
    [InlineData(TrunkKind.Ple, "trunk ple")]
    [InlineData(TrunkKind.Stem, "trunk stem")]
    public void Cuda_MixturesOfExperts_AreRefusedByName(TrunkKind trunk, string name) =>
        Assert.Equal(name, CudaShape.WhyNot(RandomModel.Manifest(new ModelShape(16, Trunk: trunk, Experts: 2)), new EngineOptions()));

    [Fact]
    public void ScoreCandidates_RequestFeaturesThatTheModelLacks_AreRefused()
    {
        var plain = RandomModel.Create(new ModelShape(16));
        var random = new Random(1);
        var counts = CountedModel.Create(CountedModel.Rows(5, random), reach: 2, decay: 0.5, categories: 2, random);
        foreach (var (model, kind) in new[] { (plain, EngineKind.Scalar), (plain, EngineKind.Cpu), (counts, EngineKind.Cpu) })
        {
            using var engine = StepEngineFactory.Create(model, new EngineOptions { Kind = kind, SlotCapacity = 1 });
            Assert.True(engine.TryRent(out var slot));
            var logits = new float[engine.CandidateWidth];
            engine.ScoreCandidates(slot, [], [0], logits);
            Assert.Throws<ArgumentException>(() => engine.ScoreCandidates(slot, [0], [0], logits));
        }
    }
}
