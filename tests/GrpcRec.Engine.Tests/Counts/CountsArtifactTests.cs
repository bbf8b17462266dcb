using GrpcRec.Engine.Models;
using GrpcRec.Engine.Tests.Models;

namespace GrpcRec.Engine.Tests.Counts;

/// <summary>Models of kind counts through a file and back, and each of their rules broken once.</summary>
public sealed class CountsArtifactTests : IDisposable
{
    private static readonly (int Item, float Weight)[][] Rows = [[(1, 0.5f), (2, 0.25f)], [], [(0, 1f)]];

    private readonly string _root = Directory.CreateTempSubdirectory("grpcrec-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Load_Counts_IsWhatWasWritten()
    {
        var manifest = CountedModel.Manifest(Rows, 3, 0.7, 2, CountedModel.Click, CountedModel.Next);
        var tensors = CountedModel.Tensors(Rows, new Random(1), CountedModel.Click);
        var indices = CountedModel.Indices(Rows);
        var target = Path.Combine(_root, "1");
        ModelArtifact.Write(target, manifest, CountedModel.Items(3, 2, new Random(1)), tensors, indices: indices);
        var model = ModelArtifact.Load(target);
        Assert.Equal(manifest.Encoder, model.Manifest.Encoder with { FilterHeights = manifest.Encoder.FilterHeights });
        Assert.Equal(3 + 3 + 4 + 3, model.Manifest.ParameterCount);
        Assert.Equal(indices.Keys.Order(StringComparer.Ordinal), model.IndexNames.Order(StringComparer.Ordinal));
        foreach (var (name, tensor) in indices)
            Assert.Equal((tensor.Shape, tensor.Data), (model.Indices(name).Shape, model.Indices(name).Data), Arrays);
        foreach (var (name, tensor) in tensors)
            Assert.Equal(tensor.Data, model.Weights(name).ToArray());
    }

    [Fact]
    public void Load_NoNeighbourAtAll_IsAModelOfPopularity()
    {
        (int, float)[][] none = [[], []];
        var target = Path.Combine(_root, "1");
        ModelArtifact.Write(target, CountedModel.Manifest(none, 1, 1), CountedModel.Items(2, 0, new Random(1)), CountedModel.Tensors(none, new Random(1)));
        var model = ModelArtifact.Load(target);
        Assert.Empty(model.IndexNames);
        Assert.Empty(model.TensorNames);
    }

    public static TheoryData<string, Func<EncoderManifest, EncoderManifest>> BrokenEncoders => new()
    {
        { "encoder.counts is required", encoder => encoder with { Counts = null } },
        { "all other sizes are 0", encoder => encoder with { Layers = 1 } },
        { "all other sizes are 0", encoder => encoder with { EmbeddingSize = 4 } },
        { "all other sizes are 0", encoder => encoder with { BottomSize = 1 } },
        { "all other sizes are 0", encoder => encoder with { TiedItemEmbedding = true } },
        { "all other sizes are 0", encoder => encoder with { GateOrder = "ifgo" } },
        { "all other sizes are 0", encoder => encoder with { FilterHeights = [2] } },
        { "all other sizes are 0", encoder => encoder with { Trunk = new TrunkManifest { Kind = TrunkKind.Mmoe, SharedExperts = 1 } } },
        { "encoder.hidden_size is 0; 1 to 64", encoder => encoder with { HiddenSize = 0 } },
        { "encoder.hidden_size is 65; 1 to 64", encoder => encoder with { HiddenSize = 65 } },
        { "encoder.counts.decay", encoder => encoder with { Counts = encoder.Counts! with { Decay = 0 } } },
        { "encoder.counts.decay", encoder => encoder with { Counts = encoder.Counts! with { Decay = 1.01 } } },
        { "encoder.counts.decay", encoder => encoder with { Counts = encoder.Counts! with { Decay = double.NaN } } },
        { "encoder.counts.neighbours is -1", encoder => encoder with { Counts = encoder.Counts! with { Neighbours = -1 } } },
        { "encoder.counts.neighbours is 20000001", encoder => encoder with { Counts = encoder.Counts! with { Neighbours = 20_000_001 } } },
        { "'neighbours.weight' is not one that", encoder => encoder with { Counts = encoder.Counts! with { Neighbours = 0 } } },
        { "'neighbours.weight' has shape [3]", encoder => encoder with { Counts = encoder.Counts! with { Neighbours = 4 } } },
    };

    [Theory]
    [MemberData(nameof(BrokenEncoders))]
    public void Create_EncoderBroken_SaysWhich(string expected, Func<EncoderManifest, EncoderManifest> damage)
    {
        Refused(expected, manifest => manifest with { Encoder = damage(manifest.Encoder) });
    }

    public static TheoryData<TaskManifest> OtherTasks => new()
    {
        new TaskManifest { Name = "x", Kind = TaskKind.Binary, NeedsCandidate = false },
        new TaskManifest { Name = "x", Kind = TaskKind.Binary, NeedsCandidate = true },
        new TaskManifest { Name = "x", Kind = TaskKind.Binary, NeedsCandidate = true, ItemBias = true, Given = "click" },
        new TaskManifest { Name = "x", Kind = TaskKind.Regression, NeedsCandidate = true },
        new TaskManifest { Name = "x", Kind = TaskKind.Multiclass, NeedsCandidate = true, ClassNames = ["a", "b"] },
    };

    [Theory]
    [MemberData(nameof(OtherTasks))]
    public void Create_OtherTasks_AreRefused(TaskManifest task) =>
        Refused("tasks of an encoder of kind \"counts\"", manifest => manifest with { Tasks = [CountedModel.Click, CountedModel.Next, task] });

    [Fact]
    public void Create_FeaturesThatNothingReads_AreRefused()
    {
        Refused("must be empty", manifest => manifest with { EventFeatures = [new() { Name = "value", Source = FeatureSource.Value, EmbeddingSize = 1, Boundaries = [1] }] });
        Refused("must be empty", manifest => manifest with { RequestFeatures = [new() { Name = "tab", EmbeddingSize = 1, Values = ["a"] }] });
    }

    [Fact]
    public void Create_NeighboursWithoutNextItem_AreRefused() =>
        Refused("encoder.counts.neighbours is 3; 0 to 0", manifest => manifest with { Tasks = [CountedModel.Click] });

    [Theory]
    [InlineData("'neighbours.offset' goes from 1 to 3", CountsManifest.NeighbourOffset, 0, 1)]
    [InlineData("'neighbours.offset' goes from 0 to 2", CountsManifest.NeighbourOffset, 3, 2)]
    [InlineData("gives item 1 -1 neighbours", CountsManifest.NeighbourOffset, 2, 1)]
    [InlineData("holds item 3; 0 to 2", CountsManifest.NeighbourItem, 1, 3)]
    [InlineData("holds item -1; 0 to 2", CountsManifest.NeighbourItem, 1, -1)]
    public void Create_RowsBroken_SaysWhich(string expected, string tensor, int at, int value) =>
        Refused(expected, manifest => manifest, indices => indices[tensor].Data[at] = value);

    [Theory]
    [InlineData("'neighbours.item' is missing", null)]
    [InlineData("'neighbours.item' has shape [1, 3]", new[] { 1, 3 })]
    [InlineData("'neighbours.item' [3] has 2 numbers", new[] { 3 })]
    public void Create_RowsMissingOrOfAnotherShape_SaysWhich(string expected, int[]? shape) => Refused(expected, manifest => manifest, indices =>
    {
        if (shape is null)
            indices.Remove(CountsManifest.NeighbourItem);
        else
            indices[CountsManifest.NeighbourItem] = new IndexTensor(shape, [1, 2]);
    });

    [Fact]
    public void Create_RowPastTheLimit_IsRefused() =>
        Refused("gives item 0 2 neighbours; 0 to 1", manifest => manifest, limits: new ArtifactLimits { MaxNeighboursOfItem = 1 });

    [Theory]
    [InlineData(0f)]
    [InlineData(-1f)]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Create_WeightNotAboveZeroOrNotFinite_IsRefused(float weight) =>
        Refused($"holds {weight}", manifest => manifest, tensors: tensors => tensors[CountsManifest.NeighbourWeight].Data[1] = weight);

    [Fact]
    public void Create_WholeNumbersInANetwork_AreRefused()
    {
        var manifest = RandomModel.Manifest(new ModelShape(4));
        var error = Assert.Throws<ArtifactException>(() => ModelArtifact.Create(
            manifest, RandomModel.Items(150), RandomModel.Tensors(manifest, 1), indices: CountedModel.Indices(Rows)));
        Assert.Contains("is not one that the manifest demands", error.Message, StringComparison.Ordinal);
        var counted = Assert.Throws<ArtifactException>(() => ModelArtifact.Create(
            manifest with { Encoder = manifest.Encoder with { Counts = new() { Decay = 1, Neighbours = 0 } } }, RandomModel.Items(150), RandomModel.Tensors(manifest, 1)));
        Assert.Contains("only the kind \"counts\" has it", counted.Message, StringComparison.Ordinal);
    }

    private static bool Arrays((int[] Shape, int[] Data) a, (int[] Shape, int[] Data) b) => a.Shape.SequenceEqual(b.Shape) && a.Data.SequenceEqual(b.Data);

    private static void Refused(
        string expected, Func<ModelManifest, ModelManifest> damage, Action<Dictionary<string, IndexTensor>>? indices = null,
        Action<Dictionary<string, WeightTensor>>? tensors = null, ArtifactLimits? limits = null)
    {
        var whole = CountedModel.Manifest(Rows, 3, 0.7, 2, CountedModel.Click, CountedModel.Next);
        var (weights, rows) = (CountedModel.Tensors(Rows, new Random(1), CountedModel.Click), CountedModel.Indices(Rows));
        var items = CountedModel.Items(3, 2, new Random(1));
        ModelArtifact.Create(whole, items, weights, indices: rows);
        indices?.Invoke(rows);
        tensors?.Invoke(weights);
        var error = Assert.Throws<ArtifactException>(() => ModelArtifact.Create(damage(whole), items, weights, limits, rows));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }
}
