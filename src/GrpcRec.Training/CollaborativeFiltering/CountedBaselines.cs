using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>Baselines that are tables, served by the engine of counts: see <see cref="CountsManifest"/>.</summary>
internal static class CountedBaselines
{
    public static BaselineModel Markov(SequenceDataset data, TrainingPlan plan, DateTimeOffset now, Action<long, long>? progress, CancellationToken cancellation) =>
        OfTable(data, plan, Successors.Count(data, new PopularityBaseline(data), progress, cancellation), Successors.Reach, decay: 1, now);

    public static BaselineModel Neighbours(SequenceDataset data, TrainingPlan plan, DateTimeOffset now, Action<long, long>? progress, CancellationToken cancellation) =>
        OfTable(data, plan, ItemNeighbours.Count(data, progress, cancellation), ItemNeighbours.Reach, ItemNeighbours.Decay, now);

    /// <exception cref="TrainingException">A task's labels are all alike in the training part, so that there is no rate to tell.</exception>
    public static BaselineModel Rates(SequenceDataset data, TrainingPlan plan, DateTimeOffset now)
    {
        var tensors = TaskLabels.Build(data, plan.Tasks).ToDictionary(task => ModelTensors.TaskItemBias(task.Name), task => new WeightTensor([data.Items.Count], LogOdds(data, task)));
        return new BaselineModel(Manifest(data, plan, reach: 1, new CountsManifest { Decay = 1, Neighbours = 0 }, now), tensors);
    }

    /// <returns>[V]</returns>
    private static float[] LogOdds(SequenceDataset data, TaskLabels task)
    {
        var labels = Enumerable.Range(0, data.EventCount).Where(t => data.Roles[t] == SplitRole.Train && !float.IsNaN(task.Label[t])).Select(t => task.Label[t] > 0);
        if (labels.Distinct().Count() < 2)
        {
            throw new TrainingException($"Task {task.Name} has no label in the training split, or all of them are alike, so there is no rate to tell. Check the split, and the column that gives the label.")
            {
                Field = "Tasks",
            };
        }

        var (all, items) = ItemRates.LogOdds(data, task, given: null);
        return Array.ConvertAll(items, item => all + item);
    }

    private static BaselineModel OfTable(SequenceDataset data, TrainingPlan plan, NeighbourTable table, int reach, double decay, DateTimeOffset now)
    {
        var count = table.AllItems.Length;
        var manifest = Manifest(data, plan, Math.Min(reach, plan.Architecture.MaxSequenceLength), new CountsManifest { Decay = decay, Neighbours = count }, now);
        if (count == 0)
            return new BaselineModel(manifest, []); // popularity is all that there is to know
        return new BaselineModel(manifest, new() { [CountsManifest.NeighbourWeight] = new WeightTensor([count], table.AllWeights) })
        {
            Indices = new()
            {
                [CountsManifest.NeighbourOffset] = new IndexTensor([table.Offsets.Length], table.Offsets),
                [CountsManifest.NeighbourItem] = new IndexTensor([count], table.AllItems),
            },
        };
    }

    private static ModelManifest Manifest(SequenceDataset data, TrainingPlan plan, int reach, CountsManifest counts, DateTimeOffset now)
    {
        // Of a network nothing is read, its features neither.
        var manifest = TrainingPlanRules.Manifest(plan with { Architecture = new() }, data, TaskLabels.Build(data, plan.Tasks), now);
        return manifest with
        {
            MaxSequenceLength = reach,
            Tasks = [.. manifest.Tasks.Select(task => task with { ItemBias = task.Kind == TaskKind.Binary })],
            Encoder = new EncoderManifest
            {
                Kind = EncoderKind.Counts, HiddenSize = reach, Counts = counts, GateOrder = EncoderManifest.GateOrderOf(EncoderKind.Counts),
                EmbeddingSize = 0, BehaviorEmbeddingSize = 0, Layers = 0, TiedItemEmbedding = false, BottomSize = 0, TowerSize = 0,
            },
        };
    }
}
