using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Evaluation;

/// <summary>
/// Metrics of a model in training, by TorchSharp's own forward pass. A target is read after at least half a window of events where there
/// are as many, so that neighbours share a pass; final figures come from <see cref="ModelEvaluator"/>.
/// </summary>
internal sealed class TorchEvaluator(SequenceDataset dataset, ModelInputs inputs, IReadOnlyList<TaskLabels> tasks, EvaluationPlan plan, int maxLength, int batchSize)
{
    private const long LogitsPerChunk = 1 << 22;

    public IReadOnlyDictionary<string, double> Evaluate(MultiTaskModel model, SplitRole role, IReadOnlyList<int> cutoffs, CancellationToken cancellation)
    {
        var metrics = new TaskMetrics(tasks, cutoffs);
        var windows = EventWindow.ForEvaluation(dataset, role, maxLength, minContext: (maxLength + 1) / 2);
        using var frozen = no_grad();
        foreach (var batchWindows in EventWindow.BatchToEvaluate(windows, batchSize))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            using var batch = WindowBatch.Create(dataset, tasks, role, inputs, batchWindows);
            var outputs = model.Forward(batch, training: false);
            for (var k = 0; k < outputs.Length; k++)
            {
                if (outputs[k] is not { } output)
                    continue;
                if (tasks[k].Kind == TaskKind.NextItem)
                    AddRanks(metrics, model.Heads, output, batch.Tasks[k]);
                else
                    AddLogits(metrics, k, output, batch.Tasks[k]);
            }
        }

        return metrics.ToDictionary();
    }

    private static void AddLogits(TaskMetrics metrics, int task, Tensor output, LabelledRows rows)
    {
        var width = (int)output.shape[1];
        var logits = output.contiguous().data<float>().ToArray();
        for (var i = 0; i < rows.Events.Length; i++)
            metrics.AddLogits(task, rows.Sequences[i], logits.AsSpan(i * width, width), rows.Task.Label[rows.Events[i]]);
    }

    private void AddRanks(TaskMetrics metrics, TaskHeads heads, Tensor queries, LabelledRows rows)
    {
        var items = dataset.Items.Count;
        var chunk = (int)Math.Max(1, LogitsPerChunk / items);
        for (var start = 0; start < rows.Events.Length; start += chunk)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(chunk, rows.Events.Length - start);
            var logits = addmm(heads.ItemBias, queries.narrow(0, start, count), heads.OutputEmbedding.t(), 1, 1);
            if (heads.RepeatTerm is { } terms)
                AddRepeatTerms(logits, terms, rows, start, count);
            var target = logits.gather(1, tensor(rows.Targets.AsSpan(start, count).ToArray()).unsqueeze(1));
            if (plan.MaskSeen)
                Mask(logits, rows, start, count);
            // Ties count against the model: the target stands after its equals. It equals itself, hence at least 1.
            var ranks = (logits >= target).sum(1).data<long>().ToArray();
            for (var i = 0; i < ranks.Length; i++)
                metrics.AddRank(rows.Sequences[start + i], (int)ranks[i]);
        }
    }

    private static void AddRepeatTerms(Tensor logits, Tensor terms, LabelledRows rows, int start, int count)
    {
        var repeated = new RepeatedItems((int)logits.shape[1]);
        List<long> places = [], which = [];
        for (var i = 0; i < count; i++)
        {
            repeated.Fill(rows.Read(start + i));
            foreach (var item in repeated.Items)
            {
                places.Add((i * logits.shape[1]) + item);
                which.Add(repeated.TermOf(item));
            }
        }

        if (places.Count > 0)
            logits.view(-1).index_add_(0, tensor(places.ToArray()), terms.index_select(0, tensor(which.ToArray())), 1);
    }

    private void Mask(Tensor logits, LabelledRows rows, int start, int count)
    {
        List<long> seen = [];
        for (var i = 0; i < count; i++)
        {
            var target = rows.Targets[start + i];
            var first = dataset.Offsets[rows.Sequences[start + i]];
            foreach (var item in dataset.ItemIds.AsSpan(first, rows.Events[start + i] - first))
            {
                if (item != target)
                    seen.Add((long)i * dataset.Items.Count + item);
            }
        }

        if (seen.Count == 0)
            return;
        var none = new float[seen.Count];
        Array.Fill(none, float.NegativeInfinity);
        logits.view(-1).index_copy_(0, tensor(seen.ToArray()), tensor(none));
    }
}
