using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Trainer.Commands;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Trainer.Tests;

/// <summary>
/// A model of random weights, and a data set whose targets are what that model ranks first: in float32 every metric is 1, so a reduced
/// precision can only lose.
/// </summary>
sealed class SelfTaught
{
    private const int Sequences = 200, Length = 12, Items = 60;

    /// <param name="outlier">
    /// In each row of the recurrent weights a huge one meets a unit that is always 0: harmless in float32 and bf16, but in int8 it takes the
    /// whole scale, and the row's other weights round to nothing.
    /// </param>
    public SelfTaught(bool outlier)
    {
        var manifest = new ModelManifest
        {
            FormatVersion = ModelManifest.CurrentFormat,
            Name = "taught",
            Version = "v1",
            CreatedAt = DateTimeOffset.UnixEpoch,
            Encoder = new EncoderManifest
            {
                Kind = EncoderKind.Lstm, EmbeddingSize = 8, BehaviorEmbeddingSize = 0, HiddenSize = 16, Layers = 1, TiedItemEmbedding = true, BottomSize = 0, TowerSize = 0,
            },
            CatalogSize = Items,
            Behaviors = ["event"],
            MaxSequenceLength = Length,
            Tasks = [new TaskManifest { Name = "next", Kind = TaskKind.NextItem, NeedsCandidate = true }],
            Data = new DataFingerprint(new string('0', 64), Sequences * Length, Sequences),
            Metrics = new Dictionary<string, double> { ["ndcg@10"] = 0.5 },
        };
        var random = new Random(5);
        var tensors = ModelTensors.Expected(manifest).OrderBy(tensor => tensor.Key, StringComparer.Ordinal).ToDictionary(
            tensor => tensor.Key,
            tensor => new WeightTensor(tensor.Value, [.. Enumerable.Range(0, tensor.Value.Aggregate(1, (a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f)]));

        // What is ranked first must hang on the state, and the state on the events before the last.
        tensors[ModelTensors.NextItemBias].Data.AsSpan().Clear();
        Scale(ModelTensors.ItemEmbedding, 6);
        Scale(ModelTensors.RecurrentWeight(0, EncoderKind.Lstm), 3);
        if (outlier)
        {
            // Unit 0: its output gate is shut, so its hidden state is 0.
            var hidden = manifest.Encoder.HiddenSize;
            tensors[ModelTensors.Bias(0, EncoderKind.Lstm)].Data[3 * hidden] = -9_000;
            var weights = tensors[ModelTensors.RecurrentWeight(0, EncoderKind.Lstm)].Data;
            for (var row = 0; row < 4 * hidden; row++)
                weights[row * hidden] = 900;
        }

        var catalog = new ItemCatalog([.. Enumerable.Range(0, Items).Select(i => new CatalogItem($"i{i}", 0, -1))]);
        Artifact = ModelArtifact.Create(manifest, catalog, tensors);
        Data = new EvaluationData(Events(catalog, manifest.Data), [new TaskDefinition { Name = "next", Kind = TaskKind.NextItem }], new EvaluationPlan());

        void Scale(string tensor, float factor)
        {
            foreach (ref var weight in tensors[tensor].Data.AsSpan())
                weight *= factor;
        }
    }

    public ModelArtifact Artifact { get; }

    public EvaluationData Data { get; }

    /// <returns>The artefact's directory, {root}/taught/v1.</returns>
    public string Write(string root)
    {
        var directory = Path.Combine(root, Artifact.Manifest.Name, Artifact.Manifest.Version);
        Directory.CreateDirectory(Path.GetDirectoryName(directory)!);
        ModelArtifact.Write(
            directory, Artifact.Manifest, Artifact.Items, Artifact.TensorNames.ToDictionary(name => name, name => new WeightTensor(Artifact.Shape(name).ToArray(), Artifact.Weights(name).ToArray())));
        return directory;
    }

    /// <summary>Random items; the last one is the model's first choice after the others.</summary>
    private SequenceDataset Events(ItemCatalog catalog, DataFingerprint fingerprint)
    {
        var random = new Random(6);
        var items = Enumerable.Range(0, Sequences * Length).Select(_ => random.Next(Items)).ToArray();
        var roles = Enumerable.Repeat(SplitRole.None, items.Length).ToArray();
        using var engine = StepEngineFactory.Create(Artifact, new EngineOptions { Kind = EngineKind.Cpu, SlotCapacity = 1 });
        var scores = new float[Items];
        for (var last = Length - 1; last < items.Length; last += Length)
        {
            Assert.True(engine.TryRent(out var slot));
            for (var t = last - Length + 1; t < last; t++)
                engine.Step([new StepEvent(slot, items[t], 0)]);
            engine.ScoreCatalog(slot, scores);
            items[last] = Array.IndexOf(scores, scores.Max());
            roles[last] = last / Length % 2 == 0 ? SplitRole.Validation : SplitRole.Test;
            engine.Return(slot);
        }

        return new SequenceDataset
        {
            Items = catalog,
            Behaviors = ["event"],
            Categories = [],
            SequenceKeys = [.. Enumerable.Range(0, Sequences).Select(s => $"u{s}")],
            Offsets = [.. Enumerable.Range(0, Sequences + 1).Select(s => s * Length)],
            ItemIds = items,
            BehaviorIds = new byte[items.Length],
            TimestampsMs = [.. Enumerable.Range(0, items.Length).Select(t => (long)t)],
            Values = [.. Enumerable.Repeat(float.NaN, items.Length)],
            Labels = new Dictionary<string, float[]>(),
            Roles = roles,
            Fingerprint = fingerprint,
        };
    }
}
