using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Encoders;
using GrpcRec.Training.MultiTask;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Learning;

/// <summary>Where one task has a label in a batch.</summary>
/// <param name="Rows">[n] next_item and tasks without a candidate: rows of the [N, H] states. Others: indices into <see cref="WindowBatch.CandidateRows"/>.</param>
/// <param name="Events">[n] the target events.</param>
/// <param name="Sequences">[n] their sequences.</param>
/// <param name="Targets">[n] items of the target events.</param>
/// <param name="Starts">[n] the first event that was read before each.</param>
internal sealed record LabelledRows(TaskLabels Task, long[] Rows, int[] Events, int[] Sequences, long[] Targets, int[] Starts, SequenceDataset Dataset)
{
    /// <summary>Items of the events that were read before a target, oldest first.</summary>
    public ReadOnlySpan<int> Read(int n) => Dataset.ItemIds.AsSpan(Starts[n], Events[n] - Starts[n]);

    /// <summary>[n] what training holds the task to; not for next_item.</summary>
    public float[] Labels => Array.ConvertAll(Events, e => Task.TrainingLabel[e]);
}

/// <summary>
/// Windows as tensors without padding (<see cref="PackedSequences"/>), and for each task the positions that have a label: nothing else is ever computed by a head.
/// </summary>
internal sealed class WindowBatch : IDisposable
{
    private WindowBatch(PackedSequences packing, Dictionary<string, Tensor> events, long[] candidateRows, long[] candidateItems, long[][] candidateFeatures, LabelledRows[] tasks)
    {
        Packing = packing;
        Events = events;
        CandidateRows = candidateRows;
        CandidateItems = candidateItems;
        CandidateFeatures = candidateFeatures;
        Tasks = tasks;
    }

    public PackedSequences Packing { get; }

    /// <summary>[N] int64 by the embedding that they point into. The items' always, of the rest what the model reads.</summary>
    public IReadOnlyDictionary<string, Tensor> Events { get; }

    /// <summary>[C] rows of the states where some task with a candidate, other than next_item, has a label.</summary>
    public long[] CandidateRows { get; }

    /// <summary>[C] the candidate there: the item of the target event.</summary>
    public long[] CandidateItems { get; }

    /// <summary>[C] for each request feature in the manifest's order: as the target event has it.</summary>
    public long[][] CandidateFeatures { get; }

    /// <summary>In the tasks' order.</summary>
    public LabelledRows[] Tasks { get; }

    public static WindowBatch Create(SequenceDataset dataset, IReadOnlyList<TaskLabels> tasks, SplitRole role, ModelInputs inputs, ReadOnlySpan<EventWindow> windows)
    {
        EventWindow[] longestFirst = [.. windows.ToArray().OrderByDescending(window => window.Length)];
        var packing = new PackedSequences(Array.ConvertAll(longestFirst, window => window.Length));
        var items = new long[packing.Rows];
        var behaviors = inputs.ReadsBehaviors ? new long[items.Length] : null;
        long[][] features = [.. inputs.EventFeatures.Select(_ => new long[items.Length])];
        List<long> candidateRows = [], candidateItems = [];
        List<int> candidateEvents = [];
        var rows = tasks.Select(_ => (Rows: new List<long>(), Events: new List<int>(), Sequences: new List<int>(), Starts: new List<int>())).ToArray();
        for (var b = 0; b < longestFirst.Length; b++)
        {
            var window = longestFirst[b];
            for (var j = 0; j < window.Length; j++)
            {
                var row = packing.Row(j, b);
                items[row] = dataset.ItemIds[window.Start + j];
                if (behaviors is not null)
                    behaviors[row] = dataset.BehaviorIds[window.Start + j];
                for (var f = 0; f < features.Length; f++)
                    features[f][row] = inputs.EventFeatures[f].Ids[window.Start + j];
                var target = window.Start + j + 1;
                if (target >= window.FirstTarget && dataset.Roles[target] == role)
                    AddTarget(row, target, window);
            }
        }

        void AddTarget(int row, int target, EventWindow window)
        {
            var candidate = -1L;
            for (var k = 0; k < tasks.Count; k++)
            {
                var task = tasks[k];
                var isNextItem = task.Kind == TaskKind.NextItem;
                if (!isNextItem && float.IsNaN(task.Label[target]))
                    continue;
                if (!isNextItem && task.NeedsCandidate && candidate < 0)
                {
                    candidate = candidateRows.Count;
                    candidateRows.Add(row);
                    candidateItems.Add(dataset.ItemIds[target]);
                    candidateEvents.Add(target);
                }

                rows[k].Rows.Add(!isNextItem && task.NeedsCandidate ? candidate : row);
                rows[k].Events.Add(target);
                rows[k].Sequences.Add(window.Sequence);
                rows[k].Starts.Add(window.Start);
            }
        }

        var events = new Dictionary<string, Tensor>(StringComparer.Ordinal) { [ModelTensors.ItemEmbedding] = tensor(items) };
        if (behaviors is not null)
            events[ModelTensors.BehaviorEmbedding] = tensor(behaviors);
        for (var f = 0; f < features.Length; f++)
            events[ModelTensors.EventFeature(inputs.EventFeatures[f].Feature.Name)] = tensor(features[f]);
        return new WindowBatch(
            packing,
            events,
            [.. candidateRows],
            [.. candidateItems],
            [.. inputs.RequestFeatures.Select(feature => candidateEvents.Select(t => (long)feature.Ids[t]).ToArray())],
            [.. tasks.Select((task, k) => new LabelledRows(
                task, [.. rows[k].Rows], [.. rows[k].Events], [.. rows[k].Sequences], [.. rows[k].Events.Select(e => (long)dataset.ItemIds[e])], [.. rows[k].Starts], dataset))]);
    }

    public void Dispose()
    {
        foreach (var ids in Events.Values)
            ids.Dispose();
    }
}
