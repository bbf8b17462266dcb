using CsCheck;
using GrpcRec.Engine.Cpu.Encoders;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Tests.Models;

namespace GrpcRec.Engine.Tests.Cpu;

public sealed class EventEmbeddingTests
{
    private static readonly Gen<ModelManifest> Manifests = Gen.Select(
        Gen.Int[1, 4], Gen.Int[0, 3], Gen.Select(Gen.Enum<FeatureSource>(), Gen.Int[1, 4], Gen.Int[1, 3]).List[0, 5], (behaviors, width, features) =>
            RandomModel.Manifest(new ModelShape(3, Embedding: 4, BehaviorEmbedding: width, Catalog: 9, Tasks: false)) with
            {
                Behaviors = [.. Enumerable.Range(0, behaviors).Select(n => $"b{n}")],
                EventFeatures = [.. features.Select((feature, place) => Feature($"f{place}", feature.Item1, feature.Item2, feature.Item3))],
            });

    [Fact]
    public void Folded_AnyFeatures_IsTheirEmbeddingsSideBySide() => Gen.Select(Manifests, Gen.Int[1, 1_000]).Sample((manifest, seed) =>
    {
        var model = ModelArtifact.Create(manifest, RandomModel.Items(9), RandomModel.Tensors(manifest, seed));
        var folded = new EventEmbedding(model);
        var kinds = new EventKinds(manifest);
        var random = new Random(seed);
        var row = new float[ModelTensors.EventWidth(manifest)];
        Assert.Equal(row.Length, folded.Width);
        for (var repeat = 0; repeat < 50; repeat++)
        {
            // 1. An event as its indices by name.
            int item = random.Next(9), behavior = random.Next(manifest.Behaviors.Count);
            var indices = manifest.EventFeatures.ToDictionary(
                feature => ModelTensors.EventFeature(feature.Name),
                feature => feature.Source == FeatureSource.ItemCategory ? model.Items.Items[item].Category + 1 : random.Next(feature.CountOf(manifest.Categories.Count)));
            indices[ModelTensors.ItemEmbedding] = item;
            indices[ModelTensors.BehaviorEmbedding] = behavior;

            // 2. Its columns in the order that training writes the weights for.
            float[] expected = [.. ModelTensors.EventColumns(manifest).SelectMany(column => model.Weights(column.Tensor).Slice(indices[column.Tensor] * column.Width, column.Width).ToArray())];

            // 3. The engine's.
            var kind = kinds.Of(behavior, [.. kinds.Features.Select(feature => indices[ModelTensors.EventFeature(feature.Name)])]);
            folded.CopyTo(item, kind, row);
            Assert.Equal(expected, row);
        }
    }, iter: 100);

    [Fact]
    public void Tables_WithoutFeatures_AreTheArtefactsOwn()
    {
        var model = RandomModel.Create(new ModelShape(3, BehaviorEmbedding: 2));
        var events = new EventEmbedding(model);
        Assert.Same(model.WeightArray(ModelTensors.ItemEmbedding), events.Items);
        Assert.Same(model.WeightArray(ModelTensors.BehaviorEmbedding), events.Kinds);
    }

    private static EventFeatureManifest Feature(string name, FeatureSource source, int size, int width) => new()
    {
        Name = name,
        Source = source,
        EmbeddingSize = width,
        Values = source == FeatureSource.Context ? [.. Enumerable.Range(0, size).Select(n => $"v{n}")] : [],
        Boundaries = source is FeatureSource.Value or FeatureSource.TimeGap ? [.. Enumerable.Range(1, size).Select(n => n * 10.0)] : [],
    };
}
