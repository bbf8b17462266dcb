using CsCheck;
using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Tests.Models;

public sealed class EventKindsTests
{
    private static readonly ModelManifest Manifest = RandomModel.Manifest(new ModelShape(5) { Events = true });

    // Behaviours and sizes of up to five features of any source.
    private static readonly Gen<ModelManifest> Manifests = Gen.Select(
        Gen.Int[1, 5], Gen.Select(Gen.Enum<FeatureSource>(), Gen.Int[1, 4]).List[0, 5], (behaviors, features) => Manifest with
        {
            Behaviors = [.. Enumerable.Range(0, behaviors).Select(n => $"b{n}")],
            EventFeatures = [.. features.Select((feature, place) => Feature($"f{place}", feature.Item1, feature.Item2))],
        });

    [Fact]
    public void Of_EveryKind_IsUnfoldedToWhatItIsOf() => Manifests.Sample(manifest =>
    {
        var kinds = new EventKinds(manifest);
        var indices = new int[kinds.Features.Count];
        for (var kind = 0; kind < kinds.Count; kind++)
        {
            var behavior = kinds.Unfold(kind, indices);
            Assert.Equal(kind, kinds.Of(behavior, indices));
            if (kind < manifest.Behaviors.Count)
                Assert.All(indices, index => Assert.Equal(0, index));
        }

        // As many as there are combinations: with the way back above, no two share a kind.
        Assert.Equal(kinds.Features.Aggregate(manifest.Behaviors.Count, (count, feature) => count * feature.CountOf(2)), kinds.Count);
    }, iter: 200);

    [Fact]
    public void Of_Values_AreTheFeaturesIndices()
    {
        var kinds = new EventKinds(Manifest);
        var context = new Dictionary<string, string> { ["tab"] = "search", ["other"] = "home" };
        Unfolds(kinds, 2, new EventValues(10_000, 70_000, 0.5, context), 2, 3, 2);
        Unfolds(kinds, 2, new EventValues(10_000, 69_999, 0.4, context), 2, 2, 1);
        Unfolds(kinds, 1, new EventValues(10_000, 10_999, -7, context), 2, 1, 1);
    }

    [Fact]
    public void Of_ValueInDouble_FallsWhereItsSingleDoes()
    {
        var kinds = new EventKinds(Manifest with { EventFeatures = [Feature("f", FeatureSource.Value, 1) with { Boundaries = [0.1f] }] });
        Assert.True(0.1 < 0.1f);
        Unfolds(kinds, 0, new EventValues(0, 0, 0.1), 2);
        Unfolds(kinds, 0, new EventValues(0, 0, double.MaxValue), 2);
        Unfolds(kinds, 0, new EventValues(0, 0, -double.MaxValue), 1);
    }

    [Fact]
    public void Of_WhatIsNotKnown_IsIndexZero()
    {
        var kinds = new EventKinds(Manifest);
        Unfolds(kinds, 0, default(EventValues) with { Value = double.NaN }, 0, 0, 0);
        Unfolds(kinds, 1, new EventValues(0, 5_000, double.NaN, new Dictionary<string, string> { ["tab"] = "cellar" }), 0, 0, 0);
        Unfolds(kinds, 1, new EventValues(5_000, 0), 0, 0, 0);
    }

    [Fact]
    public void OfGap_TimesBackwards_IsNoTime()
    {
        var index = new FeatureIndex(Manifest.EventFeatures[2]);
        Assert.Equal(1, index.OfGap(9_000, 1_000));
        // Past what a long's difference holds.
        Assert.Equal(3, index.OfGap(long.MinValue, long.MaxValue));
    }

    [Fact]
    public void IndexOfNumber_AnyBoundaries_CountsThoseAtOrBelow() => Gen.Select(Gen.Int[-50, 50].HashSet[1, 20], Gen.Int[-120, 120]).Sample((set, doubled) =>
    {
        double[] boundaries = [.. set.Order()];
        var value = doubled / 2.0;
        var index = new FeatureIndex(Feature("f", FeatureSource.Value, 1) with { Boundaries = boundaries });
        Assert.Equal(1 + boundaries.Count(boundary => boundary <= value), index.Of(value));
    });

    [Fact]
    public void Of_OutOfRange_Throws()
    {
        var kinds = new EventKinds(Manifest);
        Assert.Throws<ArgumentOutOfRangeException>(() => kinds.Of(3, [0, 0, 0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => kinds.Of(0, [3, 0, 0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => kinds.Of(0, [0, 0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => kinds.Unfold(kinds.Count, new int[3]));
    }

    [Fact]
    public void RequestFeatures_Values_AreTheirIndices()
    {
        var features = new RequestFeatures(RandomModel.Manifest(new ModelShape(5) { Requests = true }));
        Assert.Equal([0, 3], features.Of(new Dictionary<string, string> { ["age"] = "older", ["tab"] = "cellar" }));
        Assert.Equal([0, 0], features.Of(null));
        Assert.Empty(new RequestFeatures(Manifest).Of(new Dictionary<string, string> { ["tab"] = "home" }));
    }

    private static EventFeatureManifest Feature(string name, FeatureSource source, int size) => new()
    {
        Name = name,
        Source = source,
        EmbeddingSize = 2,
        Values = source == FeatureSource.Context ? [.. Enumerable.Range(0, size).Select(n => $"v{n}")] : [],
        Boundaries = source is FeatureSource.Value or FeatureSource.TimeGap ? [.. Enumerable.Range(1, size).Select(n => n * 10.0)] : [],
    };

    private static void Unfolds(EventKinds kinds, int behavior, EventValues values, params int[] expected)
    {
        var indices = new int[kinds.Features.Count];
        Assert.Equal(behavior, kinds.Unfold(kinds.Of(behavior, values), indices));
        Assert.Equal(expected, indices);
    }
}
