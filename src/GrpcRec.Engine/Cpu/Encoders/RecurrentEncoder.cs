using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>
/// A recurrent encoder over runs of events, layer by layer: what a layer reads of the one below is one product for many events, so that only the
/// recurrent product remains in each step, and its weights alone pass through the cache. A sum that is stored between the two is
/// continued as the same chain, so the bits are those of a step at a time.
/// </summary>
internal abstract unsafe class RecurrentEncoder : CpuEncoder
{
    /// <summary>Events whose inputs are multiplied at once: they and their sums stay near the second-level cache.</summary>
    private const int MaxEvents = 256;

    private readonly RecurrentWeights _weights;
    private readonly int _stride, _sumStride;

    // Rows of hidden states of the layer at work and of the one below: [MaxRuns, stride] before the steps, then as many rows as there are
    // events, step after step. A layer that nobody reads keeps two steps, one behind the other.
    private readonly AlignedBuffer[] _hidden;

    // [MaxEvents, E padded] and [MaxEvents, gate width and a gap]; null where the gate table says it all.
    private readonly AlignedBuffer? _embeddings, _inputSums;
    private readonly PointerBuffer _first = new(MaxEvents), _second = new(MaxRuns), _next = new(MaxRuns), _state = new(MaxRuns), _out = new(MaxRuns);

    // Rows by falling count of events, so that those with events left are always the first.
    private readonly int[] _order = new int[MaxRuns];
    private readonly int[] _counts = new int[MaxRuns];

    protected RecurrentEncoder(RecurrentWeights weights)
    {
        _weights = weights;
        // A whole cache line more than a multiple of it: rows that are a power of two apart would share the cache's sets.
        _stride = weights.Units + 16;
        _sumStride = weights.GateWidth + 16;
        _hidden = new AlignedBuffer[Math.Min(2, weights.Layers)];
        for (var i = 0; i < _hidden.Length; i++)
            _hidden[i] = new AlignedBuffer((long)(MaxRuns + (weights.Layers > 1 ? MaxEvents : MaxRuns)) * _stride);
        if (!weights.HasItemTable)
            _embeddings = new AlignedBuffer((long)MaxEvents * PackedMatrix.PaddedUnits(weights.Embedding));
        if (!weights.HasItemTable || weights.Layers > 1)
            _inputSums = new AlignedBuffer((long)MaxEvents * _sumStride);
        // Only bytes need room of their own.
        Scratch = new ProductScratch(weights.Precision == Models.Precision.Int8 ? Math.Max(MaxEvents, MaxRuns) : 1, weights.Units);
    }

    /// <summary>For the weights' products.</summary>
    protected ProductScratch Scratch { get; }

    public override void Advance(ReadOnlySpan<EventRun> runs, float** states, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        var rows = Order(runs);
        var call = new Call(runs, states, items, behaviors);
        for (var begin = 0; rows > 0;)
        {
            // As many whole steps as fit; a single step always does.
            int end = begin, events = 0, active = rows;
            for (; end < _counts[0]; end++)
            {
                active = Active(active, end);
                if (_inputSums is not null && events + active > MaxEvents)
                    break;
                events += active;
            }

            for (var layer = 0; layer < _weights.Layers; layer++)
                AdvanceLayer(layer, call, begin, end, rows, events);
            begin = end;
            rows = Active(rows, begin);
        }
    }

    public override float* Hidden(float* state) => State(state, _weights.Layers - 1);

    public override void Dispose()
    {
        foreach (var buffer in _hidden)
            buffer.Dispose();
        foreach (var buffer in new IDisposable?[] { _embeddings, _inputSums, _first, _second, _next, _state, _out, Scratch })
            buffer?.Dispose();
    }

    /// <summary>One step of one layer for some rows.</summary>
    protected abstract void Step(int layer, in RecurrentStep step);

    /// <summary>Rows with events, by falling count; among equals as they came.</summary>
    private int Order(ReadOnlySpan<EventRun> runs)
    {
        var rows = 0;
        for (var r = 0; r < runs.Length; r++)
        {
            var count = runs[r].Count;
            if (count == 0)
                continue;
            var place = rows++;
            for (; place > 0 && _counts[place - 1] < count; place--)
            {
                _counts[place] = _counts[place - 1];
                _order[place] = _order[place - 1];
            }

            _counts[place] = count;
            _order[place] = r;
        }

        return rows;
    }

    /// <summary>Of the first rows, those that have an event at this step.</summary>
    private int Active(int rows, int step)
    {
        while (rows > 0 && _counts[rows - 1] <= step)
            rows--;
        return rows;
    }

    private void AdvanceLayer(int layer, in Call call, int begin, int end, int rows, int events)
    {
        bool tabulated = layer == 0 && _weights.HasItemTable, isTop = layer == _weights.Layers - 1;
        var hidden = _hidden[layer % _hidden.Length].Pointer;

        // 1. The inputs' part of all steps' sums.
        if (!tabulated)
            MultiplyInputs(layer, call, begin, end, rows, events);

        // 2. The state as it stands.
        for (var r = 0; r < rows; r++)
        {
            var state = State(call.States[_order[r]], layer);
            new ReadOnlySpan<float>(state, _weights.Hidden).CopyTo(new Span<float>(hidden + ((nint)r * _stride), _weights.Hidden));
            _state[r] = state;
        }

        // 3. Step by step.
        float* before = hidden, after = hidden + ((nint)MaxRuns * _stride), sums = tabulated ? null : _inputSums!.Pointer;
        for (int t = begin, active = Active(rows, begin); t < end; t++)
        {
            var next = t + 1 < end ? Active(active, t + 1) : 0;
            for (var r = 0; r < active; r++)
            {
                // The top layer's last state goes straight to its slot; a layer that is read above keeps its rows together.
                _out[r] = isTop && r >= next ? State(call.States[_order[r]], layer) : after + ((nint)r * _stride);
                if (!tabulated)
                {
                    _first[r] = sums + ((nint)r * _sumStride);
                    _next[r] = sums + ((nint)(active + r) * _sumStride);
                    continue;
                }

                _first[r] = _weights.GateRow(call.Item(_order[r], t));
                if (_weights.ReadsKinds)
                    _second[r] = _weights.GateStart(0, call.Behavior(_order[r], t));
                _next[r] = r < next ? _weights.GateRow(call.Item(_order[r], t + 1)) : _first[r];
            }

            Step(layer, new RecurrentStep
            {
                Rows = active,
                X = before,
                Stride = _stride,
                First = _first.Pointer,
                Second = tabulated && _weights.ReadsKinds ? _second.Pointer : null,
                Next = _next.Pointer,
                NextRows = next,
                State = _state.Pointer,
                Hidden = _out.Pointer,
                Backward = (t & 1) != 0,
                Begins = t == begin,
            });

            if (!isTop)
            {
                for (var r = next; r < active; r++)
                    new ReadOnlySpan<float>(_out[r], _weights.Units).CopyTo(new Span<float>(State(call.States[_order[r]], layer), _weights.Units));
            }

            sums += (nint)active * _sumStride;
            var following = isTop ? before : after + ((nint)active * _stride);
            before = after;
            after = following;
            active = next;
        }
    }

    /// <summary>start + input·W for every event of the steps, in the order of the steps.</summary>
    private void MultiplyInputs(int layer, in Call call, int begin, int end, int rows, int events)
    {
        // 1. Where the sums start; in the first layer, the items' embeddings side by side.
        int width = layer > 0 ? 0 : PackedMatrix.PaddedUnits(_weights.Embedding), n = 0;
        fixed (float* table = _weights.ItemEmbedding)
        {
            for (int t = begin, active = rows; t < end; t++)
            {
                active = Active(active, t);
                for (var r = 0; r < active; r++, n++)
                {
                    _first[n] = _weights.GateStart(layer, layer == 0 ? call.Behavior(_order[r], t) : 0);
                    if (layer > 0)
                        continue;
                    var embedding = new ReadOnlySpan<float>(table + ((long)call.Item(_order[r], t) * _weights.Embedding), _weights.Embedding);
                    embedding.CopyTo(new Span<float>(_embeddings!.Pointer + ((nint)n * width), _weights.Embedding));
                }
            }
        }

        // 2. One product.
        if (layer == 0)
            _weights.Items!.Multiply(_weights.Kernel, _embeddings!.Pointer, width, events, _first.Pointer, null, _inputSums!.Pointer, relu: false, _sumStride);
        else
            _weights.Below[layer]!.Multiply(Scratch, _hidden[(layer - 1) % 2].Pointer + ((nint)MaxRuns * _stride), _stride, events, _first.Pointer, null, _inputSums!.Pointer, _sumStride);
    }

    /// <summary>[Parts, Units] a layer's state, h first.</summary>
    private float* State(float* slot, int layer) => slot + ((nint)layer * _weights.Parts * _weights.Units);

    /// <summary>What Advance was given.</summary>
    private readonly ref struct Call(ReadOnlySpan<EventRun> runs, float** states, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        private readonly ReadOnlySpan<EventRun> _runs = runs;
        private readonly ReadOnlySpan<int> _items = items, _behaviors = behaviors;

        public float** States { get; } = states;

        public int Item(int run, int t) => _items[_runs[run].Start + t];

        public int Behavior(int run, int t) => _behaviors[_runs[run].Start + t];
    }
}
