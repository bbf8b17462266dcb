using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Encoders;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Tests.Learning;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.Encoders;

/// <summary>
/// What TorchSharp trains is what the engines run. Tolerance: 1e-5 of the largest value compared, or 1e-5 where that is below 1: sums of
/// float32 in another order differ in proportion to the sums' size.
/// </summary>
[Collection(TorchTests.Name)]
public class EngineParityTests
{
    private const double Tolerance = 1e-5;
    private static readonly TaskDefinition[] AllTasks = [TinyData.Category, TinyData.Like, TinyData.NextItem, TinyData.Rating];

    public static TheoryData<EngineKind, int, int, bool, int, int, int> Shapes
    {
        get
        {
            var shapes = new TheoryData<EngineKind, int, int, bool, int, int, int>();
            foreach (var kind in (EngineKind[])[EngineKind.Scalar, EngineKind.Auto])
            {
                // engine, layers, H, tied, behaviours, tower, tasks as a bit mask
                shapes.Add(kind, 1, 1, true, 1, 0, 0b0100);
                shapes.Add(kind, 1, 16, true, 2, 6, 0b1111);
                shapes.Add(kind, 2, 37, false, 3, 5, 0b1111);
                shapes.Add(kind, 3, 19, true, 1, 0, 0b1011);
                shapes.Add(kind, 2, 128, false, 2, 32, 0b0110);
                shapes.Add(kind, 1, 65, true, 2, 1, 0b0001);
                shapes.Add(kind, 3, 7, false, 4, 3, 0b1000);
            }

            return shapes;
        }
    }

    /// <summary>The whole family as it is trained, in odd sizes.</summary>
    public static TheoryData<EngineKind, string> Family
    {
        get
        {
            var cases = new TheoryData<EngineKind, string>();
            foreach (var network in Networks.Keys)
            {
                cases.Add(EngineKind.Scalar, network);
                cases.Add(EngineKind.Auto, network);
            }

            return cases;
        }
    }

    private static readonly Dictionary<string, ArchitecturePlan> Networks = new()
    {
        ["gru"] = new() { Encoder = EncoderKind.Gru, HiddenSize = 33, Layers = 2, Trunk = TrunkKind.Mmoe, SharedExperts = 3 },
        ["gru with terms of repeated items"] = new() { Encoder = EncoderKind.Gru, HiddenSize = 20, RepeatTerms = true },
        ["gru with a memory of items"] = new() { Encoder = EncoderKind.Gru, HiddenSize = 20, ItemMemory = true },
        ["bag with a memory of items that it does not read"] = new() { Encoder = EncoderKind.Bag, HiddenSize = 19, ItemMemory = true, RepeatTerms = true, TiedItemEmbedding = false },
        ["gru of whole blocks"] = new() { Encoder = EncoderKind.Gru, HiddenSize = 64, TiedItemEmbedding = false },
        ["gru of one unit"] = new() { Encoder = EncoderKind.Gru, HiddenSize = 1, Layers = 3 },
        ["gru, reset before the product"] = new() { Encoder = EncoderKind.Gru, ResetPlacement = ResetPlacement.BeforeProduct, HiddenSize = 21, Layers = 2, Trunk = TrunkKind.Cgc, SharedExperts = 1, TaskExperts = 3 },
        ["rnn"] = new() { Encoder = EncoderKind.Rnn, HiddenSize = 37, Layers = 2, Trunk = TrunkKind.Cgc, SharedExperts = 3, TaskExperts = 1 },
        ["rnn of several blocks"] = new() { Encoder = EncoderKind.Rnn, HiddenSize = 130 },
        ["mingru"] = new() { Encoder = EncoderKind.MinGru, HiddenSize = 37, Layers = 3 },
        ["mingru of whole blocks"] = new() { Encoder = EncoderKind.MinGru, HiddenSize = 64, TiedItemEmbedding = false },
        ["lstm with stem"] = new() { HiddenSize = 21, Layers = 2, Trunk = TrunkKind.Stem, SharedExperts = 3, TaskExperts = 2 },
        ["gru that reads features, with stem"] = Features with { Encoder = EncoderKind.Gru, HiddenSize = 16, Trunk = TrunkKind.Stem, SharedExperts = 1, TaskExperts = 1 },
        ["bag"] = new() { Encoder = EncoderKind.Bag, HiddenSize = 19 },
        ["bag of three layers"] = new() { Encoder = EncoderKind.Bag, HiddenSize = 19, Layers = 3, Trunk = TrunkKind.Ple, SharedExperts = 2, TaskExperts = 2, TrunkLevels = 2 },
        ["cnn"] = new() { Encoder = EncoderKind.Cnn, HiddenSize = 19, WindowLength = 7, FilterHeights = [1, 3, 7], HorizontalFilters = 5, VerticalFilters = 2, Trunk = TrunkKind.Ple, SharedExperts = 1, TaskExperts = 2, TrunkLevels = 1 },
        ["cnn by default"] = new() { Encoder = EncoderKind.Cnn, HiddenSize = 16 },
        ["cnn of one event"] = new() { Encoder = EncoderKind.Cnn, HiddenSize = 8, WindowLength = 1, VerticalFilters = 0 },
        ["lstm that reads features"] = Features with { HiddenSize = 33, Layers = 2 },
        ["gru that reads features, with mixtures"] = Features with { Encoder = EncoderKind.Gru, HiddenSize = 16, Trunk = TrunkKind.Ple, SharedExperts = 2, TaskExperts = 1, TrunkLevels = 2 },
        ["mingru that reads features"] = Features with { Encoder = EncoderKind.MinGru, HiddenSize = 21 },
        ["bag that reads features"] = Features with { Encoder = EncoderKind.Bag, HiddenSize = 19 },
        ["cnn that reads features"] = Features with { Encoder = EncoderKind.Cnn, HiddenSize = 19, WindowLength = 5 },
        ["cnn of a window longer than the sequence"] = new() { Encoder = EncoderKind.Cnn, HiddenSize = 8, WindowLength = 50, FilterHeights = [2, 50], VerticalFilters = 3 },
    };

    private static ArchitecturePlan Features => new()
    {
        EventFeatures = [new("tab"), new("gap", FeatureSource.TimeGap), new("shelf", FeatureSource.ItemCategory), new("amount", FeatureSource.Value)],
        RequestFeatures = [new("tab") { EmbeddingSize = 3 }, new("age")],
        ItemTerms = true,
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Engine_FreshModel_AgreesWithTorch(EngineKind kind, int layers, int hidden, bool tied, int behaviors, int tower, int taskMask)
    {
        TaskDefinition[] tasks = [.. AllTasks.Where((_, k) => (taskMask >> k & 1) == 1)];
        AssertFreshModel(kind, new ArchitecturePlan { Layers = layers, HiddenSize = hidden, TiedItemEmbedding = tied, TowerSize = tower }, behaviors, tasks);
    }

    [Theory]
    [MemberData(nameof(Family))]
    public void Engine_FreshModelOfTheFamily_AgreesWithTorch(EngineKind kind, string network) =>
        AssertFreshModel(kind, Networks[network] with { TowerSize = 5 }, behaviors: 3, AllTasks);

    private static void AssertFreshModel(EngineKind kind, ArchitecturePlan network, int behaviors, TaskDefinition[] tasks)
    {
        using var scope = NewDisposeScope();
        var (hidden, layers) = (network.HiddenSize, network.Layers);
        var data = TinyData.Cycle(items: 31, sequences: 3, length: 40, behaviors: behaviors, seed: hidden);
        if (network.EventFeatures.Count > 0)
            data = TinyData.WithContexts(data);
        var plan = TinyData.Plan(tasks);
        plan = plan with { Architecture = network with { EmbeddingSize = 13, BehaviorEmbeddingSize = 3, BottomSize = 12 } };
        TrainingPlanRules.Check(plan);
        random.manual_seed(hidden * 100 + layers);
        using var model = new MultiTaskModel(TrainingPlanRules.Manifest(plan, data, TaskLabels.Build(data, tasks), DateTimeOffset.UnixEpoch), dropout: 0.3);
        using (no_grad())
        {
            // Wide and uneven weights, biases too: a swapped gate or a forgotten bias cannot hide behind zeros. Not so wide that the
            // recurrence becomes chaotic (a gain of √H·deviation well above 1) and multiplies float32's rounding from step to step.
            // An Elman network has no gate to hold it.
            var deviation = Math.Min(0.3, (network.Encoder == EncoderKind.Rnn ? 0.5 : 2) / Math.Sqrt(hidden));
            foreach (var parameter in model.Parameters.Trained)
                parameter.add_(randn_like(parameter) * deviation);
        }

        AssertParity(model, model.Parameters.Export(), data, kind);
    }

    [Theory]
    [InlineData(EngineKind.Scalar)]
    [InlineData(EngineKind.Auto)]
    public void Engine_TrainedArtefactFromDisk_AgreesWithTorch(EngineKind kind)
    {
        using var scope = NewDisposeScope();
        using var space = new Workspace();
        var data = TinyData.Cycle();
        var plan = TinyData.Plan(AllTasks);
        ModelTrainer.Train(data, plan, space.Checkpoint, space.Artifact(), progress: null, TimeProvider.System, CancellationToken.None);
        var artifact = ModelArtifact.Load(space.Artifact());
        using var model = new MultiTaskModel(artifact.Manifest, dropout: 0);
        model.Parameters.Import(artifact);

        AssertParity(model, model.Parameters.Export(), data, kind);
    }

    private static void AssertParity(MultiTaskModel model, IReadOnlyDictionary<string, WeightTensor> weights, SequenceDataset data, EngineKind kind)
    {
        var manifest = model.Parameters.Manifest;
        var artifact = ModelArtifact.Create(manifest, data.Items, weights);
        using var engine = StepEngineFactory.Create(artifact, new EngineOptions { Kind = kind, SlotCapacity = 4 });
        Assert.True(engine.TryRent(out var slot));
        const int steps = 30;
        using var frozen = no_grad();
        var inputs = new ModelInputs(manifest, data);
        Tensor Ids(Func<int, long> of) => tensor(Enumerable.Range(0, steps).Select(of).ToArray(), [steps]);
        var events = inputs.EventFeatures.ToDictionary(feature => ModelTensors.EventFeature(feature.Feature.Name), feature => Ids(t => feature.Ids[t]));
        events[ModelTensors.ItemEmbedding] = Ids(t => data.ItemIds[t]);
        events[ModelTensors.BehaviorEmbedding] = Ids(t => data.BehaviorIds[t]);
        var states = SequenceEncoder.Create(model.Parameters, dropout: 0.3).Forward(events, new PackedSequences([steps]), training: false);

        var hidden = new float[manifest.Encoder.HiddenSize];
        for (var t = 0; t < steps; t++)
        {
            engine.Step([new StepEvent(slot, data.ItemIds[t], inputs.KindOf(t))]);
            engine.ReadHidden(slot, hidden);
            AssertClose($"state {t}", states[t], hidden);
        }

        AssertLogits(model, engine, slot, states[steps - 1].unsqueeze(0), inputs.RequestOf(steps), data.ItemIds[..steps]);
    }

    private static void AssertLogits(MultiTaskModel model, IStepEngine engine, Slot slot, Tensor h, int[] request, int[] read)
    {
        var manifest = model.Parameters.Manifest;
        var all = arange(manifest.CatalogSize, ScalarType.Int64);
        var candidate = new float[manifest.CatalogSize * engine.CandidateWidth];
        var sequence = new float[engine.SequenceWidth];
        if (engine.CandidateWidth > 0)
            engine.ScoreCandidates(slot, request, Enumerable.Range(0, manifest.CatalogSize).ToArray(), candidate);
        if (engine.SequenceWidth > 0)
            engine.ScoreSequence(slot, sequence);
        var repeated = h.expand(manifest.CatalogSize, -1);
        int candidateColumn = 0, sequenceColumn = 0;
        foreach (var task in manifest.Tasks)
        {
            if (task.Kind == TaskKind.NextItem)
            {
                var memory = model.Heads.Memory(tensor(Array.ConvertAll(read, item => (long)item)), new PackedSequences([read.Length]), training: false);
                var expected = addmm(model.Heads.ItemBias, model.Heads.NextItemQuery(h, memory?[read.Length - 1].unsqueeze(0)), model.Heads.OutputEmbedding.t(), 1, 1);
                if (model.Heads.RepeatTerm is { } terms)
                {
                    // What stands among the last events read, by its last one.
                    expected = expected.clone();
                    foreach (var item in read.TakeLast(manifest.MaxSequenceLength).Distinct())
                        expected[0, item] = expected[0, item] + terms[(long)Math.Log2(read.Length - Array.LastIndexOf(read, item))];
                }

                var catalog = new float[manifest.CatalogSize];
                engine.ScoreCatalog(slot, catalog);
                AssertClose(task.Name, expected, catalog);
                AssertClose(task.Name, expected, Columns(candidateColumn++, 1));
            }
            else if (task.NeedsCandidate)
            {
                Tensor[] requests = [.. request.Select(index => full([manifest.CatalogSize], (long)index, ScalarType.Int64))];
                var logits = model.Heads.Logits(task.Name, model.Heads.Trunk.Forward(repeated, all, requests, training: false)[task.Name]);
                if (task.ItemBias)
                    logits += model.Parameters[ModelTensors.TaskItemBias(task.Name)].unsqueeze(1);
                AssertClose(task.Name, logits, Columns(candidateColumn, task.OutputWidth));
                candidateColumn += task.OutputWidth;
            }
            else
            {
                AssertClose(task.Name, model.Heads.Logits(task.Name, h), sequence[sequenceColumn..(sequenceColumn + task.OutputWidth)]);
                sequenceColumn += task.OutputWidth;
            }
        }

        Assert.Equal((engine.CandidateWidth, engine.SequenceWidth), (candidateColumn, sequenceColumn));

        float[] Columns(int first, int width) =>
            [.. Enumerable.Range(0, manifest.CatalogSize).SelectMany(v => candidate.Skip(v * engine.CandidateWidth + first).Take(width))];
    }

    private static void AssertClose(string what, Tensor expected, float[] actual)
    {
        var values = expected.contiguous().data<float>().ToArray();
        Assert.Equal(values.Length, actual.Length);
        var scale = Math.Max(1, values.Max(Math.Abs));
        for (var i = 0; i < values.Length; i++)
            Assert.True(Math.Abs(values[i] - actual[i]) <= Tolerance * scale, $"{what}[{i}]: torch {values[i]}, engine {actual[i]}");
    }
}
