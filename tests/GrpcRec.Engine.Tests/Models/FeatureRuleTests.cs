using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Tests.Models;

/// <summary>Each rule about features and item terms, broken once; and a manifest with all of them through a file and back.</summary>
public sealed class FeatureRuleTests : IDisposable
{
    private static readonly ModelShape Shape = new(5, BehaviorEmbedding: 2) { Events = true, Requests = true, Chain = true };

    private readonly string _root = Directory.CreateTempSubdirectory("grpcrec-").FullName;

    public static TheoryData<string, Func<ModelManifest, ModelManifest>> Broken => new()
    {
        { "event_features must be named by", whole => Event(whole, feature => feature with { Name = "Tab" }) },
        { "event_features must be named by", whole => Event(whole, feature => feature with { Name = "" }) },
        { "event_features has two features named 'gap'", whole => Event(whole, feature => feature with { Name = "gap" }) },
        { "event_features['tab'].embedding_size is 0; 1 to 1024", whole => Event(whole, feature => feature with { EmbeddingSize = 0 }) },
        { "event_features and the behaviour have 1029 columns together", whole => Event(whole, feature => feature with { EmbeddingSize = 1022 }) },
        { "event_features['tab'].source", whole => Event(whole, feature => feature with { Source = (FeatureSource)9 }) },
        { "event_features['tab'].values (count) is 0; 1 to 1024", whole => Event(whole, feature => feature with { Values = [] }) },
        { "event_features['tab'].values (count) is 1025", whole => Event(whole, feature => feature with { Values = [.. Enumerable.Range(0, 1_025).Select(n => $"{n}")] }) },
        { "event_features['tab'].values names 'home' twice", whole => Event(whole, feature => feature with { Values = ["home", "home"] }) },
        { "event_features['tab'].values must hold values of at most 256 bytes", whole => Event(whole, feature => feature with { Values = [new string('ü', 200)] }) },
        { "event_features['tab'].boundaries (count) is 1; 0 to 0", whole => Event(whole, feature => feature with { Boundaries = [1] }) },
        { "event_features['tab'].values (count) is 2; 0 to 0", whole => Event(whole, feature => feature with { Source = FeatureSource.TimeGap, Boundaries = [1] }) },
        { "event_features['tab'].boundaries (count) is 0; 1 to 1024", whole => Event(whole, feature => feature with { Source = FeatureSource.Value, Values = [] }) },
        { "event_features['tab'].boundaries must be finite, above 0 and ascending", whole => Event(whole, feature => feature with { Source = FeatureSource.TimeGap, Values = [], Boundaries = [0, 1] }) },
        { "event_features['tab'].boundaries must be finite and ascending", whole => Event(whole, feature => feature with { Source = FeatureSource.Value, Values = [], Boundaries = [-1, -1] }) },
        { "event_features['tab'].boundaries must be finite and ascending", whole => Event(whole, feature => feature with { Source = FeatureSource.Value, Values = [], Boundaries = [double.NaN] }) },
        { "the items have no categories", whole => whole with { Categories = [] } },
        { "make 36900 kinds of event with the behaviours (behaviours 3 × tab 1025 × gap 4 × watched 3); at most 16384", whole => Event(whole, feature => feature with { Values = [.. Enumerable.Range(0, 1_024).Select(n => $"{n}")] }) },
        { "request_features must be named by", whole => Request(whole, feature => feature with { Name = "9" }) },
        { "request_features has two features named 'age'", whole => Request(whole, feature => feature with { Name = "age" }) },
        { "request_features['tab'].values (count) is 0; 1 to 1024", whole => Request(whole, feature => feature with { Values = [] }) },
        { "request_features['tab'].embedding_size is -1", whole => Request(whole, feature => feature with { EmbeddingSize = -1 }) },
        { "request_features have 1025 columns together", whole => Request(whole, feature => feature with { EmbeddingSize = 1022 }) },
        { "request_features must be empty", whole => whole with { Tasks = [.. whole.Tasks.Where(task => !task.NeedsCandidate)] } },
        { "request_features (count) is 33", whole => whole with { RequestFeatures = [.. Enumerable.Repeat(whole.RequestFeatures[0], 33)] } },
        { "tasks['leaves'].item_bias must be false", whole => whole with { Tasks = [.. whole.Tasks.Select(task => task with { ItemBias = task.Name == "leaves" })] } },
        { "tasks['price'].item_bias must be false", whole => whole with { Tasks = [.. whole.Tasks.Select(task => task with { ItemBias = task.Name == "price" })] } },
    };

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [MemberData(nameof(Broken))]
    public void Create_RuleBroken_SaysWhich(string expected, Func<ModelManifest, ModelManifest> damage)
    {
        var broken = damage(RandomModel.Manifest(Shape));
        var error = Assert.Throws<ArtifactException>(() => ModelArtifact.Create(broken, RandomModel.Items(150), RandomModel.Tensors(RandomModel.Manifest(Shape), 1)));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WhatWasWritten_IsTheSame()
    {
        var manifest = RandomModel.Manifest(Shape);
        var tensors = RandomModel.Tensors(manifest, 1);
        var target = Path.Combine(_root, "1");
        ModelArtifact.Write(target, manifest, RandomModel.Items(150), tensors);
        var model = ModelArtifact.Load(target);
        Assert.Equal(
            manifest.EventFeatures.Select(feature => (feature.Name, feature.Source, feature.EmbeddingSize, string.Join(',', feature.Values), string.Join(',', feature.Boundaries))),
            model.Manifest.EventFeatures.Select(feature => (feature.Name, feature.Source, feature.EmbeddingSize, string.Join(',', feature.Values), string.Join(',', feature.Boundaries))));
        Assert.Equal(
            manifest.RequestFeatures.Select(feature => (feature.Name, feature.EmbeddingSize, string.Join(',', feature.Values))),
            model.Manifest.RequestFeatures.Select(feature => (feature.Name, feature.EmbeddingSize, string.Join(',', feature.Values))));
        Assert.Equal(["click", "buy"], model.Manifest.Tasks.Where(task => task.ItemBias).Select(task => task.Name));
        Assert.Equal([3, 2], model.Shape(ModelTensors.EventFeature("shelf")).ToArray());
        Assert.Equal([4, 3], model.Shape(ModelTensors.RequestFeature("age")).ToArray());
        Assert.Equal([150], model.Shape(ModelTensors.TaskItemBias("buy")).ToArray());
        Assert.Equal([20, 12 + 2 + 2 + 3 + 1 + 2], model.Shape(ModelTensors.InputWeight(0)).ToArray());
        Assert.Equal([10, 5 + 7], model.Shape(ModelTensors.BottomHiddenWeight).ToArray());
        foreach (var (name, tensor) in tensors)
            Assert.Equal(tensor.Data, model.Weights(name).ToArray());
    }

    [Fact]
    public void Load_WithoutFeatures_IsAsBefore()
    {
        // What artefacts hold that were written before there were features.
        var manifest = RandomModel.Manifest(new ModelShape(5, BehaviorEmbedding: 2));
        var target = Path.Combine(_root, "1");
        ModelArtifact.Write(target, manifest, RandomModel.Items(150), RandomModel.Tensors(manifest, 1));
        var path = Path.Combine(target, ModelArtifact.ManifestFile);
        var json = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        Assert.True(json.Remove("event_features"));
        Assert.True(json.Remove("request_features"));
        foreach (var task in json["tasks"]!.AsArray())
            Assert.True(task!.AsObject().Remove("item_bias"));
        File.WriteAllText(path, json.ToJsonString());
        var model = ModelArtifact.Load(target);
        Assert.Empty(model.Manifest.EventFeatures);
        Assert.Empty(model.Manifest.RequestFeatures);
        Assert.DoesNotContain(model.Manifest.Tasks, task => task.ItemBias);
        Assert.Equal(3, new EventKinds(model.Manifest).Count);
    }

    private static ModelManifest Event(ModelManifest whole, Func<EventFeatureManifest, EventFeatureManifest> damage) =>
        whole with { EventFeatures = [damage(whole.EventFeatures[0]), .. whole.EventFeatures.Skip(1)] };

    private static ModelManifest Request(ModelManifest whole, Func<RequestFeatureManifest, RequestFeatureManifest> damage) =>
        whole with { RequestFeatures = [damage(whole.RequestFeatures[0]), .. whole.RequestFeatures.Skip(1)] };
}
