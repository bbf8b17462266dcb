using GrpcRec.Engine.Models;
using GrpcRec.Engine.Tests.Steps;

namespace GrpcRec.Engine.Tests.Models;

/// <summary>Each rule about kinds of encoders and trunks, broken once; and every kind through a file and back.</summary>
public sealed class ManifestRuleTests : IDisposable
{
    private static readonly ModelShape Cnn = ModelShape.Cnn(5, window: 6, filters: 3, vertical: 1, 2, 4);
    private static readonly ModelShape Gru = ModelShape.Gru(5, ResetPlacement.AfterProduct);
    private static readonly ModelShape Ple = new(5, Trunk: TrunkKind.Ple, Experts: 2);
    private static readonly ModelShape Stem = new(5, Trunk: TrunkKind.Stem, Experts: 2);
    private static readonly ModelShape Mmoe = new(5, Trunk: TrunkKind.Mmoe, Experts: 2);

    private readonly string _root = Directory.CreateTempSubdirectory("grpcrec-").FullName;

    public static TheoryData<string, ModelShape, Func<EncoderManifest, EncoderManifest>> Broken => new()
    {
        { "encoder.kind", new(5), encoder => encoder with { Kind = (EncoderKind)9 } },
        { "encoder.gate_order must be \"ifgo\"", new(5), encoder => encoder with { GateOrder = "rzn" } },
        { "encoder.gate_order must be \"rzn\"", Gru, encoder => encoder with { GateOrder = "zrn" } },
        { "encoder.gate_order must be \"zn\"", ModelShape.MinGru(5), encoder => encoder with { GateOrder = "rzn" } },
        { "encoder.gate_order must be \"\"", ModelShape.Rnn(5), encoder => encoder with { GateOrder = "ifgo" } },
        { "encoder.reset_placement", Gru, encoder => encoder with { ResetPlacement = ResetPlacement.None } },
        { "encoder.reset_placement", Gru, encoder => encoder with { ResetPlacement = (ResetPlacement)7 } },
        { "encoder.reset_placement", new(5), encoder => encoder with { ResetPlacement = ResetPlacement.AfterProduct } },
        { "encoder.reset_placement", ModelShape.Rnn(5), encoder => encoder with { ResetPlacement = ResetPlacement.BeforeProduct } },
        { "encoder.layers is 9; 1 to 8", ModelShape.Rnn(5), encoder => encoder with { Layers = 9 } },
        { "encoder.layers is 4; 1 to 3", ModelShape.Bag(5), encoder => encoder with { Layers = 4 } },
        { "encoder.layers is 2; 1 to 1", Cnn, encoder => encoder with { Layers = 2 } },
        { "which only a cnn may have", ModelShape.Bag(5), encoder => encoder with { WindowLength = 3 } },
        { "which only a cnn may have", new(5), encoder => encoder with { FilterHeights = [1] } },
        { "which only a cnn may have", Gru, encoder => encoder with { VerticalFilters = 1 } },
        { "encoder.window_length is 0", Cnn, encoder => encoder with { WindowLength = 0 } },
        { "encoder.window_length is 65; 1 to 64", Cnn, encoder => encoder with { WindowLength = 65 } },
        { "encoder.filter_heights (count) is 0", Cnn, encoder => encoder with { FilterHeights = [] } },
        { "encoder.filter_heights must be ascending", Cnn, encoder => encoder with { FilterHeights = [4, 2] } },
        { "encoder.filter_heights must be ascending", Cnn, encoder => encoder with { FilterHeights = [2, 2] } },
        { "encoder.filter_heights must be ascending", Cnn, encoder => encoder with { FilterHeights = [0, 2] } },
        { "from 1 to the window's 6", Cnn, encoder => encoder with { FilterHeights = [2, 7] } },
        { "encoder.horizontal_filters is 0", Cnn, encoder => encoder with { HorizontalFilters = 0 } },
        { "encoder.horizontal_filters is 257", Cnn, encoder => encoder with { HorizontalFilters = 257 } },
        { "encoder.vertical_filters is -1", Cnn, encoder => encoder with { VerticalFilters = -1 } },
        { "encoder.trunk.kind", new(5), encoder => encoder with { Trunk = new TrunkManifest { Kind = (TrunkKind)5 } } },
        { "encoder.trunk.shared_experts is 1; 0 to 0", new(5), encoder => encoder with { Trunk = new TrunkManifest { SharedExperts = 1 } } },
        { "encoder.trunk.shared_experts is 0; 1 to 32", Mmoe, encoder => encoder with { Trunk = encoder.Trunk with { SharedExperts = 0 } } },
        { "encoder.trunk.shared_experts is 33", Mmoe, encoder => encoder with { Trunk = encoder.Trunk with { SharedExperts = 33 } } },
        { "encoder.trunk.task_experts is 1; 0 to 0", Mmoe, encoder => encoder with { Trunk = encoder.Trunk with { TaskExperts = 1 } } },
        { "encoder.trunk.task_experts is 0; 1 to 32", Ple, encoder => encoder with { Trunk = encoder.Trunk with { TaskExperts = 0 } } },
        { "encoder.trunk.levels is 2; 1 to 1", Mmoe, encoder => encoder with { Trunk = encoder.Trunk with { Levels = 2 } } },
        { "encoder.trunk.levels is 3; 1 to 2", Ple, encoder => encoder with { Trunk = encoder.Trunk with { Levels = 3 } } },
        { "encoder.trunk.shared_experts is 0; 1 to 32", Stem, encoder => encoder with { Trunk = encoder.Trunk with { SharedExperts = 0 } } },
        { "encoder.trunk.task_experts is 0; 1 to 32", Stem, encoder => encoder with { Trunk = encoder.Trunk with { TaskExperts = 0 } } },
        { "encoder.trunk.levels is 2; 1 to 1", Stem, encoder => encoder with { Trunk = encoder.Trunk with { Levels = 2 } } },
        { "encoder.trunk.levels is 0; 1 to 1", Stem, encoder => encoder with { Trunk = encoder.Trunk with { Levels = 0 } } },
        { "encoder.trunk.levels is 0", Ple, encoder => encoder with { Trunk = encoder.Trunk with { Levels = 0 } } },
    };

    public static TheoryData<ModelShape> Family
    {
        get
        {
            var shapes = new TheoryData<ModelShape>();
            foreach (var shape in FamilyTests.Shapes)
                shapes.Add(shape);
            return shapes;
        }
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [MemberData(nameof(Broken))]
    public void Create_RuleBroken_SaysWhich(string expected, ModelShape shape, Func<EncoderManifest, EncoderManifest> damage)
    {
        var whole = RandomModel.Manifest(shape);
        var tensors = RandomModel.Tensors(whole, 1);
        ModelArtifact.Create(whole, RandomModel.Items(shape.Catalog), tensors);
        var broken = whole with { Encoder = damage(whole.Encoder) };
        var error = Assert.Throws<ArtifactException>(() => ModelArtifact.Create(broken, RandomModel.Items(shape.Catalog), tensors));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, TaskManifest> BrokenTasks => new()
    {
        { "tasks['x'].given must be null", new() { Name = "x", Kind = TaskKind.Regression, NeedsCandidate = true, Given = "click" } },
        { "tasks['x'].given must be null", new() { Name = "x", Kind = TaskKind.Binary, NeedsCandidate = false, Given = "click" } },
        { "tasks['x'].given is 'next'", new() { Name = "x", Kind = TaskKind.Binary, NeedsCandidate = true, Given = "next" } },
        { "tasks['x'].given is 'x'", new() { Name = "x", Kind = TaskKind.Binary, NeedsCandidate = true, Given = "x" } },
        { "tasks['x'].given is 'leaves'", new() { Name = "x", Kind = TaskKind.Binary, NeedsCandidate = true, Given = "leaves" } },
        { "which only a regression may have", new() { Name = "x", Kind = TaskKind.Binary, NeedsCandidate = true, Scale = 2 } },
        { "tasks['x'].needs_candidate", new() { Name = "x", Kind = TaskKind.Regression, NeedsCandidate = false } },
        { "a scale above 0", new() { Name = "x", Kind = TaskKind.Regression, NeedsCandidate = true, Scale = 0 } },
        { "a finite offset", new() { Name = "x", Kind = TaskKind.Regression, NeedsCandidate = true, Offset = double.NaN } },
    };

    [Theory]
    [MemberData(nameof(BrokenTasks))]
    public void Create_TaskBroken_SaysWhich(string expected, TaskManifest task)
    {
        var whole = RandomModel.Manifest(new(5));
        var broken = whole with { Tasks = [.. whole.Tasks, task] };
        var error = Assert.Throws<ArtifactException>(() => ModelArtifact.Create(broken, RandomModel.Items(150), RandomModel.Tensors(broken, 1)));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 1e4f)]
    [InlineData(2, 1e3f)]
    public void Create_WeightPastTheLimitOfItsDepth_IsRefused(int levels, float limit)
    {
        var manifest = RandomModel.Manifest(levels == 2 ? Ple : Mmoe);
        var tensors = RandomModel.Tensors(manifest, 1);
        var bias = tensors[ModelTensors.SharedExpertBias(0, 1)].Data;
        bias[0] = limit;
        ModelArtifact.Create(manifest, RandomModel.Items(150), tensors);
        bias[0] = MathF.BitIncrement(limit);
        var error = Assert.Throws<ArtifactException>(() => ModelArtifact.Create(manifest, RandomModel.Items(150), tensors));
        Assert.Contains(ModelTensors.SharedExpertBias(0, 1), error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Family))]
    public void Load_EveryKind_IsWhatWasWritten(ModelShape shape)
    {
        var manifest = RandomModel.Manifest(shape);
        var tensors = RandomModel.Tensors(manifest, 1);
        var target = Path.Combine(_root, "1");
        ModelArtifact.Write(target, manifest, RandomModel.Items(shape.Catalog), tensors);
        var model = ModelArtifact.Load(target);
        var encoder = model.Manifest.Encoder;
        Assert.Equal(manifest.Encoder.FilterHeights, encoder.FilterHeights);
        Assert.Equal(manifest.Encoder, encoder with { FilterHeights = manifest.Encoder.FilterHeights });
        Assert.Equal(tensors.Keys.Order(StringComparer.Ordinal), model.TensorNames.Order(StringComparer.Ordinal));
        foreach (var (name, tensor) in tensors)
            Assert.Equal(tensor.Data, model.Weights(name).ToArray());
    }
}
