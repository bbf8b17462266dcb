using GrpcRec.Benchmarks.Timing;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Benchmarks.Encoding;

/// <summary>
/// Ours, driven as the scheduler drives it: slots are rented, advanced by runs of all their events, read and given back. With two threads
/// each has an engine of its own (they share the weights) and half of the batch; a batch of one has one half.
/// </summary>
public sealed class StepEngineEncoder : ISequenceEncoder
{
    private readonly Half[] _halves;
    private readonly PairedWork? _pair;
    private readonly int _hidden;

    /// <exception cref="EngineException">The engine does not run the model with these options.</exception>
    public StepEngineEncoder(ModelArtifact model, EngineOptions options, int maxBatch, int threads)
    {
        ArgumentNullException.ThrowIfNull(model);
        _halves = [.. Enumerable.Range(0, threads).Select(_ => new Half(StepEngineFactory.Create(model, options with { SlotCapacity = maxBatch })))];
        _pair = threads > 1 ? new PairedWork() : null;
        _hidden = model.Manifest.Encoder.HiddenSize;
        Name = $"GrpcRec {_halves[0].Engine.Name} {options.Precision?.ToString().ToLowerInvariant() ?? "float32"}";
    }

    public string Name { get; }

    public void Prepare()
    {
    }

    public unsafe void Encode(EventBatch batch, Span<float> hidden)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (_pair is null || batch.Size == 1)
        {
            _halves[0].Encode(batch, 0, batch.Size, hidden);
            return;
        }

        var middle = batch.Size / 2;
        fixed (float* pinned = hidden)
        {
            // The other thread is done before this method is, so the pointer stands as long as it is used.
            var (all, length) = ((nint)pinned, hidden.Length);
            _pair.Run(
                () => _halves[0].Encode(batch, 0, middle, new Span<float>((float*)all, middle * _hidden)),
                () => _halves[1].Encode(batch, middle, batch.Size, new Span<float>((float*)all, length)[(middle * _hidden)..]));
        }
    }

    public void Dispose()
    {
        _pair?.Dispose();
        foreach (var half in _halves)
            half.Engine.Dispose();
    }

    private sealed class Half(IStepEngine engine)
    {
        private EventRun[] _runs = [];
        private int[] _behaviors = [];

        public IStepEngine Engine => engine;

        /// <param name="hidden">[to - from, H] written.</param>
        public void Encode(EventBatch batch, int from, int to, Span<float> hidden)
        {
            if (_runs.Length < to - from)
                _runs = new EventRun[to - from];
            if (_behaviors.Length != batch.Items.Length)
                _behaviors = new int[batch.Items.Length];
            var runs = _runs.AsSpan(0, to - from);
            for (var n = 0; n < runs.Length; n++)
            {
                if (!engine.TryRent(out var slot))
                    throw new InvalidOperationException("no slot is free: the one before was not given back");
                runs[n] = new EventRun(slot, (from + n) * batch.Length, batch.Length);
            }

            engine.Advance(runs, batch.Items, _behaviors);
            for (var n = 0; n < runs.Length; n++)
            {
                engine.ReadHidden(runs[n].Slot, hidden.Slice(n * engine.HiddenSize, engine.HiddenSize));
                engine.Return(runs[n].Slot);
            }
        }
    }
}
