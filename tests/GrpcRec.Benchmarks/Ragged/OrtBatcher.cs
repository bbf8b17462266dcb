using GrpcRec.Benchmarks.Encoding;
using GrpcRec.Engine.Models;
using GrpcRec.Export.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace GrpcRec.Benchmarks.Ragged;

/// <summary>
/// What one builds around ONNX Runtime to serve sequences: dynamic batching. A worker takes what waits, up to a batch, pads it to its
/// longest sequence, and runs it to the end; the LSTM is told the lengths.
/// </summary>
public sealed class OrtBatcher : ISequenceServer
{
    private static readonly string[] Inputs = ["item_ids", "lengths"], Outputs = ["logits." + RaggedModel.Task];

    private readonly OrtBatcherOptions _options;
    private readonly InferenceSession _session;
    private readonly RunOptions _run = new();
    private readonly object _gate = new();
    private readonly List<Pending> _queue = [];
    private readonly Thread[] _workers;
    private bool _stopping;

    public OrtBatcher(ModelArtifact model, OrtBatcherOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        using var settings = OrtSettings.Create(options.ThreadsPerWorker);
        // Sessions are shared by threads by design: each call runs on its caller's.
        _session = new InferenceSession(OnnxModel.ToBytes(model, new OnnxOptions { CatalogLogits = false }), settings);
        _workers = [.. Enumerable.Range(0, options.Workers).Select(i => new Thread(Work) { IsBackground = true, Name = $"ort {i}" })];
        foreach (var worker in _workers)
            worker.Start();
    }

    public string Name => OrtSettings.Name;

    public ValueTask<float[]> AnswerAsync(int[] items)
    {
        var pending = new Pending(items, TimeProvider.System.GetTimestamp());
        lock (_gate)
        {
            _queue.Add(pending);
            Monitor.Pulse(_gate);
        }

        return new ValueTask<float[]>(pending.Answer.Task);
    }

    public ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.PulseAll(_gate);
        }

        foreach (var worker in _workers)
            worker.Join();
        _session.Dispose();
        _run.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Work()
    {
        var ids = new long[_options.MaxBatch * RaggedTrace.MaxLength];
        var lengths = new int[_options.MaxBatch];
        while (Take() is { } batch)
            Run(batch, ids, lengths);
    }

    private Pending[]? Take()
    {
        lock (_gate)
        {
            while (true)
            {
                if (_queue.Count == 0)
                {
                    if (_stopping)
                        return null;
                    Monitor.Wait(_gate);
                    continue;
                }

                var left = _options.MaxWait - TimeProvider.System.GetElapsedTime(_queue[0].Since);
                if (_queue.Count >= _options.MaxBatch || left <= TimeSpan.Zero || _stopping)
                    return _options.SortsByLength && _queue.Count > _options.MaxBatch ? TakeAlike() : TakeOldest();
                Monitor.Wait(_gate, TimeSpan.FromMilliseconds(Math.Max(1, left.TotalMilliseconds)));
            }
        }
    }

    private Pending[] TakeOldest()
    {
        var count = Math.Min(_options.MaxBatch, _queue.Count);
        Pending[] batch = [.. _queue.Take(count)];
        _queue.RemoveRange(0, count);
        return batch;
    }

    /// <summary>Of the batches that hold the oldest request and neighbours by length, the one with the least padding. Holding the oldest, it starves nobody.</summary>
    private Pending[] TakeAlike()
    {
        var oldest = _queue[0];
        Pending[] sorted = [.. _queue.OrderBy(pending => pending.Items.Length)];
        int place = Array.IndexOf(sorted, oldest), first = Math.Max(0, place - _options.MaxBatch + 1);
        long sum = 0;
        for (var i = first; i < first + _options.MaxBatch; i++)
            sum += sorted[i].Items.Length;
        var (best, bestShare) = (first, 0.0);
        for (var start = first; start <= place && start + _options.MaxBatch <= sorted.Length; start++)
        {
            if (start > first)
                sum += sorted[start + _options.MaxBatch - 1].Items.Length - sorted[start - 1].Items.Length;
            var share = sum / (double)sorted[start + _options.MaxBatch - 1].Items.Length;
            if (share > bestShare)
                (best, bestShare) = (start, share);
        }

        var batch = sorted[best..(best + _options.MaxBatch)];
        var taken = batch.ToHashSet();
        _queue.RemoveAll(taken.Contains);
        return batch;
    }

    private void Run(Pending[] batch, long[] ids, int[] lengths)
    {
        try
        {
            var longest = batch.Max(pending => pending.Items.Length);
            for (var row = 0; row < batch.Length; row++)
            {
                var items = batch[row].Items;
                lengths[row] = items.Length;
                var to = ids.AsSpan(row * longest, longest);
                for (var t = 0; t < items.Length; t++)
                    to[t] = items[t];
                to[items.Length..].Clear();
            }

            using var idValue = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, ids.AsMemory(0, batch.Length * longest), [batch.Length, longest]);
            using var lengthValue = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, lengths.AsMemory(0, batch.Length), [batch.Length]);
            using var results = _session.Run(_run, Inputs, [idValue, lengthValue], Outputs);
            var logits = results[0].GetTensorDataAsSpan<float>();
            for (var row = 0; row < batch.Length; row++)
                batch[row].Answer.SetResult(logits.Slice(row * RaggedModel.Classes, RaggedModel.Classes).ToArray());
        }
#pragma warning disable CA1031 // Whatever it was, the callers throw it on.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            foreach (var pending in batch)
                pending.Answer.TrySetException(failure);
        }
    }

    private sealed record Pending(int[] Items, long Since)
    {
        public TaskCompletionSource<float[]> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool Equals(Pending? other) => ReferenceEquals(this, other);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
    }
}
