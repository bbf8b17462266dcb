using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.MultiTask;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Learning;

/// <summary>Where one task has a label in a batch.</summary>
/// <param name="Rows">[n] next_item and tasks without a candidate: rows of the flat [T·B, H] states. Others: indices into <see cref="WindowBatch.CandidateRows"/>.</param>
/// <param name="Events">[n] the target events.</param>
/// <param name="Sequences">[n] their sequences.</param>
/// <param name="Targets">[n] items of the target events.</param>
internal sealed record LabelledRows(TaskLabels Task, long[] Rows, int[] Events, int[] Sequences, long[] Targets)
{
    /// <summary>[n] labels; not for next_item.</summary>
    public float[] Labels => Array.ConvertAll(Events, e => Task.Label[e]);
}

/// <summary>
/// Windows as tensors, padded on the right, and for each task the positions that have a label: nothing else is ever computed by a head.
/// </summary>
internal sealed class WindowBatch : IDisposable
{
    private WindowBatch(Tensor items, Tensor? behaviors, long[] candidateRows, long[] candidateItems, LabelledRows[] tasks)
    {
        Items = items;
        Behaviors = behaviors;
        CandidateRows = candidateRows;
        CandidateItems = candidateItems;
        Tasks = tasks;
    }

    /// <summary>[T, B] int64: time first, as nn.LSTM computes and returns it, so that its states are flat without a copy.</summary>
    public Tensor Items { get; }

    /// <summary>[T, B] int64; null when the model reads no behaviours.</summary>
    public Tensor? Behaviors { get; }

    /// <summary>[C] rows of the flat states where some task with a candidate, other than next_item, has a label.</summary>
    public long[] CandidateRows { get; }

    /// <summary>[C] the candidate there: the item of the target event.</summary>
    public long[] CandidateItems { get; }

    /// <summary>In the tasks' order.</summary>
    public LabelledRows[] Tasks { get; }

    public static WindowBatch Create(SequenceDataset dataset, IReadOnlyList<TaskLabels> tasks, SplitRole role, bool readsBehaviors, ReadOnlySpan<EventWindow> windows)
    {
        var width = 0;
        foreach (var window in windows)
            width = Math.Max(width, window.Length);
        var items = new long[windows.Length * width];
        var behaviors = readsBehaviors ? new long[items.Length] : null;
        List<long> candidateRows = [], candidateItems = [];
        var rows = tasks.Select(_ => (Rows: new List<long>(), Events: new List<int>(), Sequences: new List<int>())).ToArray();
        for (var b = 0; b < windows.Length; b++)
        {
            var window = windows[b];
            for (var j = 0; j < window.Length; j++)
            {
                var row = j * windows.Length + b;
                items[row] = dataset.ItemIds[window.Start + j];
                if (behaviors is not null)
                    behaviors[row] = dataset.BehaviorIds[window.Start + j];
                var target = window.Start + j + 1;
                if (target >= window.FirstTarget && dataset.Roles[target] == role)
                    AddTarget(row, target, window.Sequence);
            }
        }

        void AddTarget(int row, int target, int sequence)
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
                }

                rows[k].Rows.Add(!isNextItem && task.NeedsCandidate ? candidate : row);
                rows[k].Events.Add(target);
                rows[k].Sequences.Add(sequence);
            }
        }

        long[] shape = [width, windows.Length];
        return new WindowBatch(
            tensor(items, shape),
            behaviors is null ? null : tensor(behaviors, shape),
            [.. candidateRows],
            [.. candidateItems],
            [.. tasks.Select((task, k) => new LabelledRows(
                task, [.. rows[k].Rows], [.. rows[k].Events], [.. rows[k].Sequences], [.. rows[k].Events.Select(e => (long)dataset.ItemIds[e])]))]);
    }

    public void Dispose()
    {
        Items.Dispose();
        Behaviors?.Dispose();
    }
}
