using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Tests.Learning;

/// <summary>Data sets small enough to learn in a second, with every kind of label.</summary>
internal static class TinyData
{
    public static readonly TaskDefinition NextItem = new() { Name = "next", Kind = TaskKind.NextItem };
    public static readonly TaskDefinition Like = new() { Name = "like", Kind = TaskKind.Binary, Label = new LabelSource.ValueAtLeast(3) };
    public static readonly TaskDefinition Rating = new() { Name = "rating", Kind = TaskKind.Multiclass, Label = new LabelSource.ValueClasses([1, 2, 3, 4]) };
    public static readonly TaskDefinition Category = new() { Name = "category", Kind = TaskKind.Multiclass, Label = new LabelSource.NextCategory() };

    /// <summary>Each sequence counts up from a random item, modulo V; the last event is test, the one before validation.</summary>
    public static SequenceDataset Cycle(int items = 12, int sequences = 40, int length = 14, int behaviors = 2, int seed = 1, SplitRole beforeLast = SplitRole.Validation)
    {
        var random = new Random(seed);
        var count = sequences * length;
        var data = new SequenceDataset
        {
            Items = new ItemCatalog([.. Enumerable.Range(0, items).Select(i => new CatalogItem($"item-{i}", count / items, i % 3))]),
            Behaviors = [.. Enumerable.Range(0, behaviors).Select(i => $"behavior-{i}")],
            Categories = ["red", "green", "blue"],
            SequenceKeys = [.. Enumerable.Range(0, sequences).Select(i => $"user-{i}")],
            Offsets = [.. Enumerable.Range(0, sequences + 1).Select(i => i * length)],
            ItemIds = new int[count],
            BehaviorIds = new byte[count],
            TimestampsMs = [.. Enumerable.Range(0, count).Select(i => (long)i)],
            Values = new float[count],
            Labels = new Dictionary<string, float[]>(),
            Roles = new SplitRole[count],
            Fingerprint = new DataFingerprint(new string((char)('a' + seed % 6), 64), count, sequences),
        };
        for (var s = 0; s < sequences; s++)
        {
            var item = random.Next(items);
            for (var t = 0; t < length; t++)
            {
                var e = s * length + t;
                data.ItemIds[e] = (item + t) % items;
                data.BehaviorIds[e] = (byte)random.Next(behaviors);
                data.Values[e] = e % 5 == 0 ? float.NaN : 1 + data.ItemIds[e] % 4;
                data.Roles[e] = t == 0 ? SplitRole.None : t == length - 1 ? SplitRole.Test : t == length - 2 ? beforeLast : SplitRole.Train;
            }
        }

        return data;
    }

    /// <summary>One sequence of these items, all but the first to be learnt.</summary>
    public static SequenceDataset Of(int[] itemIds, int items)
    {
        var data = Cycle(items, sequences: 1, length: itemIds.Length, behaviors: 1);
        itemIds.CopyTo(data.ItemIds, 0);
        Array.Fill(data.Roles, SplitRole.Train, 1, itemIds.Length - 1);
        return data;
    }

    /// <summary>
    /// The same with something to read beside items and behaviours: a page of three, or none; an age band, by user; gaps of a second or of an
    /// hour; values from 0 to 100, sometimes none. Nothing hangs on them.
    /// </summary>
    public static SequenceDataset WithContexts(SequenceDataset data, int seed = 1)
    {
        var random = new Random(seed);
        var tabs = new ContextColumn(["home", "search", "feed"], new ushort[data.EventCount]);
        var ages = new ContextColumn(["young", "old", "older"], new ushort[data.EventCount]);
        for (var s = 0; s < data.SequenceCount; s++)
        {
            var age = (ushort)(1 + random.Next(3));
            var time = 1_000_000L;
            for (var t = data.Offsets[s]; t < data.Offsets[s + 1]; t++)
            {
                tabs.Ids[t] = (ushort)random.Next(4);
                ages.Ids[t] = age;
                time += random.Next(2) == 0 ? random.Next(500, 2_000) : random.Next(2_000_000, 5_000_000);
                data.TimestampsMs[t] = time;
                data.Values[t] = random.Next(10) == 0 ? float.NaN : random.NextSingle() * 100;
            }
        }

        return data.With(data.Roles, data.Items, new SortedDictionary<string, ContextColumn> { ["age"] = ages, ["tab"] = tabs }, data.Fingerprint);
    }

    public static TrainingPlan Plan(params TaskDefinition[] tasks) => new()
    {
        ModelName = "tiny",
        ModelVersion = "1",
        Tasks = tasks,
        Architecture = new ArchitecturePlan { EmbeddingSize = 8, BehaviorEmbeddingSize = 3, HiddenSize = 16, Dropout = 0, BottomSize = 12, TowerSize = 6, MaxSequenceLength = 10 },
        Optimization = new OptimizationPlan { Epochs = 3, BatchSize = 16, LearningRate = 1e-2, Seed = 7 },
        Evaluation = new EvaluationPlan { Cutoffs = [1, 5] },
    };

    /// <summary>hr@5 of next_item on the test split, by the engine, after a training with another network.</summary>
    /// <param name="tensor">Which the artefact has, or has not.</param>
    public static double TestHits(SequenceDataset data, Func<ArchitecturePlan, ArchitecturePlan> network, int epochs, string tensor, bool has)
    {
        using var space = new Workspace();
        var plan = Plan(NextItem);
        plan = plan with
        {
            Architecture = network(plan.Architecture), Optimization = plan.Optimization with { Epochs = epochs }, Evaluation = new EvaluationPlan { Cutoffs = [5] },
        };
        var outcome = ModelTrainer.Train(data, plan, space.Checkpoint, space.Artifact(), null, TimeProvider.System, default);
        Assert.Equal(has, ModelArtifact.Load(space.Artifact()).HasTensor(tensor));
        // Validation was torch's, the test is the engine's.
        return outcome.Manifest.Metrics["hr@5"];
    }
}
