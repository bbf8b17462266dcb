using GrpcRec.Engine.Cuda.Driver;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cuda;

/// <summary>What is computed of a slot's hidden state: candidates' and sequences' logits, next_item logits of listed items.</summary>
internal sealed unsafe class CudaHeads
{
    /// <summary>Candidates of one round.</summary>
    public const int MaxItems = 2_048;

    private const int PairThreads = 256, PairsPerBlock = 8;

    // Places in the staging, in words: the slot, then the items.
    private const int SlotPlace = 0, ItemsPlace = 64, Words = ItemsPlace + MaxItems;

    private readonly CudaModel _model;
    private readonly CudaStream _stream;
    private readonly CudaStates _states;
    private readonly CudaStaging _staging;
    private readonly PinnedMemory _results;
    private readonly DeviceMemory _work;
    private readonly CudaFunction _dense, _interaction, _pair;
    private readonly ulong _zeros, _query, _fromHidden, _projection, _bottom, _tower, _logits;

    public CudaHeads(CudaModel model, CudaParts parts, CudaStates states, CudaStream stream)
    {
        (_model, _states, _stream) = (model, states, stream);
        _dense = DenseLayer.Function(model.Module, "gr_dense_f32");
        _interaction = DenseLayer.Function(model.Module, "gr_dense_interaction");
        _pair = model.Module.Function("gr_pair_dot", PairThreads);
        var encoder = model.Artifact.Manifest.Encoder;
        var width = Math.Max(1, Math.Max(model.Layout.CandidateWidth, model.Layout.SequenceWidth));
        var sizes = new[]
        {
            MaxItems, model.Shape.EmbeddingPadded, Math.Max(1, encoder.BottomSize), encoder.EmbeddingSize,
            MaxItems * Math.Max(1, encoder.BottomSize), MaxItems * model.Heads.TowerWidth, MaxItems * width,
        };
        _work = parts.Own(DeviceMemory.Allocate(model.Context, model.Budget, sizes.Sum(size => (long)DenseLayer.Pad(size) * sizeof(float)), "the heads' work memory"));
        var at = _work.Address;
        ulong Take(int size)
        {
            var taken = at;
            at += (ulong)DenseLayer.Pad(size) * sizeof(float);
            return taken;
        }

        (_zeros, _query, _fromHidden, _projection) = (Take(sizes[0]), Take(sizes[1]), Take(sizes[2]), Take(sizes[3]));
        (_bottom, _tower, _logits) = (Take(sizes[4]), Take(sizes[5]), Take(sizes[6]));
        _results = parts.Own(new PinnedMemory(model.Context, (long)Math.Max(MaxItems * width, encoder.HiddenSize) * sizeof(float)));
        _staging = new CudaStaging(model.Context, model.Budget, parts, Words);
        using var scope = model.Context.Enter();
        // The zeros stay, and so does the query's padding.
        stream.Clear(_work.Address, _work.Bytes);
    }

    public long WorkBytes => _work.Bytes;

    private ulong Slot => _staging.Device + (SlotPlace * sizeof(int));

    private ulong Items => _staging.Device + (ItemsPlace * sizeof(int));

    /// <summary>[slots, Hp] of the top layer.</summary>
    private ulong Hidden => _states.H(_model.Shape.Layers - 1);

    public void ReadHidden(Slot slot, Span<float> hidden)
    {
        _states.Clear(_stream);
        _stream.Download(_results.Pointer, Hidden + ((ulong)slot.Index * (ulong)_model.Shape.HiddenPadded * sizeof(float)), hidden.Length * sizeof(float));
        _stream.Synchronize();
        new ReadOnlySpan<float>(_results.Pointer, hidden.Length).CopyTo(hidden);
    }

    /// <param name="items">[N].</param>
    /// <param name="logits">[N, CandidateWidth].</param>
    public void ScoreCandidates(Slot slot, ReadOnlySpan<int> items, Span<float> logits)
    {
        var width = _model.Layout.CandidateWidth;
        for (var first = 0; first < items.Length; first += MaxItems)
        {
            var some = items.Slice(first, Math.Min(MaxItems, items.Length - first));
            Send(slot, some);
            if (_model.Layout.HasNextItem)
                NextItem(some.Length, _logits + ((ulong)_model.Layout.NextItemOffset * sizeof(float)), width);
            if (_model.Heads.Candidate.Length > 0)
            {
                Bottom(some.Length);
                foreach (var task in _model.Heads.Candidate)
                    Task(task, _bottom, 0, _model.Heads.BottomItem.Columns, some.Length, width);
            }

            Receive(logits.Slice(first * width, some.Length * width));
        }
    }

    /// <param name="logits">[SequenceWidth].</param>
    public void ScoreSequence(Slot slot, Span<float> logits)
    {
        if (logits.IsEmpty)
            return;
        Send(slot, []);
        foreach (var task in _model.Heads.Sequence)
            Task(task, Hidden, Slot, _model.Shape.HiddenPadded, 1, _model.Layout.SequenceWidth);
        Receive(logits);
    }

    /// <param name="logits">[V] next_item.</param>
    public void ScoreCatalog(Slot slot, Span<float> logits)
    {
        Span<int> items = stackalloc int[MaxItems];
        for (var first = 0; first < logits.Length; first += MaxItems)
        {
            var some = Math.Min(MaxItems, logits.Length - first);
            for (var i = 0; i < some; i++)
                items[i] = first + i;
            Send(slot, items[..some]);
            NextItem(some, _logits, 1);
            Receive(logits.Slice(first, some));
        }
    }

    /// <summary>q = W·h + b for each slot row, padded with the zeros that are there.</summary>
    /// <param name="slots">[count] rows of the states, on the device.</param>
    /// <param name="queries">[count, Ep], its padding zero.</param>
    public void Queries(ulong slots, int count, ulong queries)
    {
        var weights = _model.Heads.Query;
        DenseLayer.Launch(_dense, _stream, Dense(weights, Hidden, slots, _model.Shape.HiddenPadded, count, queries, _model.Shape.EmbeddingPadded));
    }

    private static DenseArguments Dense(DenseWeights weights, ulong input, ulong rows, int ldIn, int count, ulong output, int ldOut, bool relu = false) => new()
    {
        In = input, Rows = rows, Weights = weights.Weights, Bias = weights.Bias, Out = output, Count = count,
        Columns = weights.Columns, Inner = weights.Inner, LdIn = ldIn, LdWeights = weights.Inner, LdOut = ldOut, Relu = relu ? 1 : 0,
    };

    private void Send(Slot slot, ReadOnlySpan<int> items)
    {
        _states.Clear(_stream);
        var words = _staging.BeginAlone();
        words[SlotPlace] = slot.Index;
        items.CopyTo(words[ItemsPlace..]);
        // One stream for both: an answer waits for its copy anyway, and the next question for the answer.
        _staging.SendAlone(ItemsPlace + items.Length, _stream);
    }

    private void Receive(Span<float> logits)
    {
        _stream.Download(_results.Pointer, _logits, logits.Length * sizeof(float));
        _stream.Synchronize();
        new ReadOnlySpan<float>(_results.Pointer, logits.Length).CopyTo(logits);
    }

    /// <summary>The same sums in the same order as the ranking's last stage, so that a candidate's logit is bit-equal to its ranking score.</summary>
    private void NextItem(int count, ulong output, int ldOut)
    {
        Queries(Slot, 1, _query);
        _pair.Launch(_stream, DenseLayer.Ceiling(count, PairsPerBlock), 1, new PairArguments
        {
            Queries = _query, QueryRows = _zeros, Items = _model.OutputItems, ItemRows = Items, Bias = _model.ItemBias, Out = output, Count = count,
            Inner = _model.Shape.EmbeddingPadded, LdQueries = _model.Shape.EmbeddingPadded, LdItems = _model.Shape.EmbeddingPadded, LdOut = ldOut,
        });
    }

    /// <summary>bottom = relu(W_h·h + b + [W_e, W_x]·(e ‖ p∘e)).</summary>
    private void Bottom(int count)
    {
        var heads = _model.Heads;
        DenseLayer.Launch(_dense, _stream, Dense(heads.BottomHidden, Hidden, Slot, _model.Shape.HiddenPadded, 1, _fromHidden, heads.BottomHidden.Columns));
        DenseLayer.Launch(_dense, _stream, Dense(heads.BottomProjection, Hidden, Slot, _model.Shape.HiddenPadded, 1, _projection, heads.BottomProjection.Columns));
        var arguments = Dense(heads.BottomItem, _model.Items, Items, _model.Shape.EmbeddingPadded, count, _bottom, heads.BottomItem.Columns, relu: true);
        arguments.Addend = _fromHidden;
        arguments.AddendRows = _zeros;
        arguments.LdAddend = heads.BottomHidden.Columns;
        arguments.Pair = _projection;
        arguments.PairRows = _zeros;
        arguments.LdPair = heads.BottomProjection.Columns;
        DenseLayer.Launch(_interaction, _stream, arguments);
    }

    private void Task(CudaTask task, ulong input, ulong rows, int ldIn, int count, int width)
    {
        if (task.Tower is { } tower)
        {
            DenseLayer.Launch(_dense, _stream, Dense(tower, input, rows, ldIn, count, _tower, tower.Columns, relu: true));
            (input, rows, ldIn) = (_tower, 0, tower.Columns);
        }

        DenseLayer.Launch(_dense, _stream, Dense(task.Output, input, rows, ldIn, count, _logits + ((ulong)task.Head.Offset * sizeof(float)), width));
    }
}
