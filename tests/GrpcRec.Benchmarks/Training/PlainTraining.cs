using System.Diagnostics;
using GrpcRec.Training.Datasets;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace GrpcRec.Benchmarks.Training;

/// <summary>
/// The same network, targets, optimiser and batch size as ours, written as one writes it first: windows padded to the longest, torch's own LSTM,
/// logits of every position over all items, cross-entropy that ignores the padding.
/// </summary>
internal sealed class PlainTraining : nn.Module
{
    private const long Ignored = -100;

    private readonly Embedding _embedding;
    private readonly Dropout _dropout = nn.Dropout(TrainingTask.Dropout);
    private readonly LSTM _lstm;
    private readonly Linear _projection;
    private readonly Parameter _bias;

    private PlainTraining(SequenceDataset data)
        : base("plain")
    {
        var items = data.Items.Count;
        // One row more: the padding.
        _embedding = nn.Embedding(items + 1, TrainingTask.Embedding, padding_idx: items);
        nn.init.normal_(_embedding.weight!, 0, 0.05);
        _lstm = nn.LSTM(TrainingTask.Embedding, TrainingTask.Hidden, batchFirst: true);
        _projection = nn.Linear(TrainingTask.Hidden, TrainingTask.Embedding);
        var counts = data.Items.Items.Select(item => (double)item.Count + 1).ToArray();
        var total = counts.Sum();
        _bias = new Parameter(tensor(Array.ConvertAll(counts, count => (float)Math.Log(count / total))));
        RegisterComponents();
    }

    /// <param name="stepLimit">Steps of the timed epoch at most, and then no epoch before it; 0: whole epochs.</param>
    public static TrainingMeasurement Run(SequenceDataset data, int stepLimit)
    {
        random.manual_seed(1);
        using var model = new PlainTraining(data);
        using var optimizer = optim.Adam(model.parameters(), TrainingTask.LearningRate);
        var windows = Windows(data);
        var shuffle = new Random(1);
        var losses = new List<double>();
        var seconds = 0.0;
        for (var epoch = 0; epoch < (stepLimit > 0 ? 1 : 2); epoch++)
        {
            (int Start, int Length)[] order = [.. windows];
            shuffle.Shuffle(order);
            var batches = order.Chunk(TrainingTask.BatchSize).ToArray();
            // The first steps of a process are slower: pages, kernels that are chosen.
            foreach (var batch in stepLimit > 0 ? batches.Take(2) : [])
                model.Step(data, batch, optimizer);
            var steps = stepLimit > 0 ? Math.Min(stepLimit, batches.Length) : batches.Length;
            double sum = 0;
            long targets = 0;
            var began = Stopwatch.GetTimestamp();
            foreach (var batch in batches.Take(steps))
            {
                var (loss, count) = model.Step(data, batch, optimizer);
                sum += loss * count;
                targets += count;
            }

            seconds = Stopwatch.GetElapsedTime(began).TotalSeconds * batches.Length / steps;
            if (stepLimit == 0)
                losses.Add(sum / targets);
        }

        return new TrainingMeasurement(seconds, [.. losses], Process.GetCurrentProcess().PeakWorkingSet64);
    }

    /// <summary>Each sequence's training part from its end, so that every target stands in one window.</summary>
    private static List<(int Start, int Length)> Windows(SequenceDataset data)
    {
        var windows = new List<(int, int)>();
        for (var s = 0; s < data.SequenceCount; s++)
        {
            var last = data.Offsets[s + 1] - 1;
            while (last > data.Offsets[s] && data.Roles[last] != SplitRole.Train)
                last--;
            for (var length = 0; last > data.Offsets[s]; last -= length)
            {
                length = Math.Min(TrainingTask.MaxLength, last - data.Offsets[s]);
                windows.Add((last - length, length));
            }
        }

        return windows;
    }

    private (double Loss, long Targets) Step(SequenceDataset data, (int Start, int Length)[] batch, optim.Optimizer optimizer)
    {
        using var scope = NewDisposeScope();
        // 1. Pad.
        var width = batch.Max(window => window.Length);
        var inputs = new long[batch.Length * width];
        var targets = new long[batch.Length * width];
        Array.Fill(inputs, data.Items.Count);
        Array.Fill(targets, Ignored);
        long count = 0;
        for (var b = 0; b < batch.Length; b++)
        {
            for (var t = 0; t < batch[b].Length; t++, count++)
            {
                inputs[(b * width) + t] = data.ItemIds[batch[b].Start + t];
                targets[(b * width) + t] = data.ItemIds[batch[b].Start + t + 1];
            }
        }

        // 2. Forward, loss of every position, backward.
        optimizer.zero_grad();
        var embedded = _dropout.forward(_embedding.forward(tensor(inputs, [batch.Length, width])));
        var (hidden, _, _) = _lstm.forward(embedded);
        var queries = _projection.forward(hidden);
        var logits = queries.matmul(_embedding.weight!.narrow(0, 0, data.Items.Count).t()) + _bias;
        var loss = nn.functional.cross_entropy(logits.view(-1, data.Items.Count), tensor(targets), ignore_index: Ignored);
        loss.backward();
        nn.utils.clip_grad_norm_(parameters(), TrainingTask.ClipNorm);
        optimizer.step();
        return (loss.item<float>(), count);
    }
}
