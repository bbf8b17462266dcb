using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// The reference: the model's equations in plain loops, to be read as their specification. Sums run in double precision, so that it
/// stands closer to the exact answer than any engine that is compared with it. State and results are float32.
/// </summary>
public sealed class ScalarEngine : IStepEngine
{
    private readonly ModelArtifact _model;
    private readonly HeadLayout _heads;
    private readonly SlotTable _slots;
    private readonly int _behaviors, _e, _eb, _h, _layers;

    // [capacity, layers, H] each.
    private readonly float[] _hidden, _cell;

    public ScalarEngine(ModelArtifact artifact, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(artifact);
        ArgumentNullException.ThrowIfNull(options);
        var encoder = artifact.Manifest.Encoder;
        _model = artifact;
        _heads = new HeadLayout(artifact.Manifest);
        _slots = new SlotTable(options.SlotCapacity);
        _behaviors = artifact.Manifest.Behaviors.Count;
        (_e, _eb, _h, _layers) = (encoder.EmbeddingSize, encoder.BehaviorEmbeddingSize, encoder.HiddenSize, encoder.Layers);
        if ((long)options.SlotCapacity * _layers * _h > Array.MaxLength)
            throw new EngineException($"SlotCapacity {options.SlotCapacity} with {_layers} layers of {_h} units is more state than the scalar engine holds; at most {Array.MaxLength / (_layers * _h)} slots");
        _hidden = new float[options.SlotCapacity * _layers * _h];
        _cell = new float[_hidden.Length];
    }

    public string Name => "cpu-scalar";

    public int HiddenSize => _h;

    public int CatalogSize => _heads.CatalogSize;

    public int CandidateWidth => _heads.CandidateWidth;

    public int SequenceWidth => _heads.SequenceWidth;

    public int SlotCapacity => _slots.Capacity;

    public int FreeSlots => _slots.Free;

    public bool TryRent(out Slot slot)
    {
        if (!_slots.TryRent(out slot))
            return false;
        for (var layer = 0; layer < _layers; layer++)
        {
            State(_hidden, slot, layer).Clear();
            State(_cell, slot, layer).Clear();
        }

        return true;
    }

    public void Return(Slot slot) => _slots.Return(slot);

    public void Step(ReadOnlySpan<StepEvent> events)
    {
        _slots.Check(events, CatalogSize, _behaviors);
        foreach (var e in events)
        {
            // x = item embedding ‖ behaviour embedding
            var x = new float[_e + _eb];
            Row(ModelTensors.ItemEmbedding, e.Item, _e).CopyTo(x);
            if (_eb > 0)
                Row(ModelTensors.BehaviorEmbedding, e.Behavior, _eb).CopyTo(x.AsSpan(_e));
            for (var layer = 0; layer < _layers; layer++)
                x = StepLayer(layer, x, State(_hidden, e.Slot, layer), State(_cell, e.Slot, layer));
        }
    }

    public void Advance(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        _slots.Check(runs, items, behaviors, CatalogSize, _behaviors);
        foreach (var run in runs)
        {
            for (var i = run.Start; i < run.Start + run.Count; i++)
                Step([new StepEvent(run.Slot, items[i], behaviors[i])]);
        }
    }

    public void ReadHidden(Slot slot, Span<float> hidden)
    {
        HeadLayout.CheckLength(hidden.Length, _h, nameof(hidden));
        Top(slot).CopyTo(hidden);
    }

    public void ScoreCandidates(Slot slot, ReadOnlySpan<int> items, Span<float> logits)
    {
        _heads.CheckCandidates(items, logits.Length);
        var h = Top(slot);
        var query = _heads.HasNextItem ? NextItemQuery(h) : [];
        var projection = _heads.Candidate.Length > 0 ? Affine(h, ModelTensors.BottomProjectionWeight, null) : [];
        for (var n = 0; n < items.Length; n++)
        {
            var row = logits.Slice(n * CandidateWidth, CandidateWidth);
            if (_heads.HasNextItem)
                row[_heads.NextItemOffset] = NextItemLogit(query, items[n]);
            if (_heads.Candidate.Length == 0)
                continue;
            var bottom = Bottom(h, projection, Row(ModelTensors.ItemEmbedding, items[n], _e));
            foreach (var head in _heads.Candidate)
                Tower(head, bottom, row);
        }
    }

    public void ScoreSequence(Slot slot, Span<float> logits)
    {
        HeadLayout.CheckLength(logits.Length, SequenceWidth, nameof(logits));
        var h = Top(slot);
        foreach (var head in _heads.Sequence)
            Tower(head, h, logits);
    }

    public void ScoreCatalog(Slot slot, Span<float> logits)
    {
        _heads.CheckNextItem();
        HeadLayout.CheckLength(logits.Length, CatalogSize, nameof(logits));
        var query = NextItemQuery(Top(slot));
        for (var item = 0; item < logits.Length; item++)
            logits[item] = NextItemLogit(query, item);
    }

    public void Rank(ReadOnlySpan<RankQuery> queries)
    {
        _heads.CheckQueries(queries, _slots);
        var logits = new float[CatalogSize];
        foreach (var query in queries)
        {
            ScoreCatalog(query.Slot, logits);
            query.Result = [.. Enumerable.Range(0, CatalogSize)
                .Where(item => Array.BinarySearch(query.Excluded, item) < 0)
                .Select(item => new RankedItem(item, logits[item]))
                .OrderByDescending(item => item.Score).ThenBy(item => item.Item)
                .Take(query.K)];
        }
    }

    public void Dispose()
    {
    }

    /// <summary>One LSTM layer (Hochreiter &amp; Schmidhuber 1997, as in PyTorch): c' = f∘c + i∘g, h' = o∘tanh(c').</summary>
    /// <returns>[H] the new hidden state.</returns>
    private float[] StepLayer(int layer, ReadOnlySpan<float> x, Span<float> h, Span<float> c)
    {
        // z = W_ih·x + W_hh·h + b, all four gates
        var wih = _model.Weights(ModelTensors.InputWeight(layer));
        var whh = _model.Weights(ModelTensors.RecurrentWeight(layer));
        var bias = _model.Weights(ModelTensors.Bias(layer));
        var z = new double[4 * _h];
        for (var row = 0; row < z.Length; row++)
            z[row] = bias[row] + Dot(wih.Slice(row * x.Length, x.Length), x) + Dot(whh.Slice(row * _h, _h), h);

        for (var unit = 0; unit < _h; unit++)
        {
            double i = Sigmoid(z[unit]), f = Sigmoid(z[_h + unit]), g = Math.Tanh(z[(2 * _h) + unit]), o = Sigmoid(z[(3 * _h) + unit]);
            var cell = (f * c[unit]) + (i * g);
            c[unit] = (float)cell;
            h[unit] = (float)(o * Math.Tanh(cell));
        }

        return h.ToArray();
    }

    /// <summary>q = W·h + b.</summary>
    private float[] NextItemQuery(ReadOnlySpan<float> h) => Affine(h, ModelTensors.NextItemProjectionWeight, ModelTensors.NextItemProjectionBias);

    private float NextItemLogit(ReadOnlySpan<float> query, int item)
    {
        var table = _model.HasTensor(ModelTensors.NextItemEmbedding) ? ModelTensors.NextItemEmbedding : ModelTensors.ItemEmbedding;
        return (float)(_model.Weights(ModelTensors.NextItemBias)[item] + Dot(query, Row(table, item, _e)));
    }

    /// <summary>relu(W_h·h + W_e·e + W_x·(p∘e) + b).</summary>
    private float[] Bottom(ReadOnlySpan<float> h, ReadOnlySpan<float> projection, ReadOnlySpan<float> item)
    {
        var interaction = new float[_e];
        for (var k = 0; k < _e; k++)
            interaction[k] = projection[k] * item[k];
        var bottom = Affine(h, ModelTensors.BottomHiddenWeight, ModelTensors.BottomBias);
        var fromItem = Affine(item, ModelTensors.BottomItemWeight, null);
        var fromInteraction = Affine(interaction, ModelTensors.BottomInteractionWeight, null);
        for (var s = 0; s < bottom.Length; s++)
            bottom[s] = MathF.Max(0, bottom[s] + fromItem[s] + fromInteraction[s]);
        return bottom;
    }

    /// <summary>One task's logits from its input: relu layer (when the model has towers), then linear.</summary>
    private void Tower(HeadColumn head, ReadOnlySpan<float> x, Span<float> logits)
    {
        if (_model.HasTensor(ModelTensors.TowerWeight(head.Task.Name)))
        {
            var hidden = Affine(x, ModelTensors.TowerWeight(head.Task.Name), ModelTensors.TowerBias(head.Task.Name));
            for (var d = 0; d < hidden.Length; d++)
                hidden[d] = MathF.Max(0, hidden[d]);
            x = hidden;
        }

        Affine(x, ModelTensors.OutputWeight(head.Task.Name), ModelTensors.OutputBias(head.Task.Name)).CopyTo(logits[head.Offset..]);
    }

    /// <summary>W·x (+ b).</summary>
    /// <param name="weight">Name of a tensor [N, K]; K is the length of <paramref name="x"/>.</param>
    /// <param name="bias">Name of a tensor [N]; null for none.</param>
    private float[] Affine(ReadOnlySpan<float> x, string weight, string? bias)
    {
        var w = _model.Weights(weight);
        var y = new float[w.Length / x.Length];
        for (var row = 0; row < y.Length; row++)
            y[row] = (float)((bias is null ? 0 : _model.Weights(bias)[row]) + Dot(w.Slice(row * x.Length, x.Length), x));
        return y;
    }

    private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (var k = 0; k < a.Length; k++)
            sum += (double)a[k] * b[k];
        return sum;
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private ReadOnlySpan<float> Row(string table, int row, int width) => _model.Weights(table).Slice(row * width, width);

    private Span<float> State(float[] states, Slot slot, int layer) => states.AsSpan(((slot.Index * _layers) + layer) * _h, _h);

    private Span<float> Top(Slot slot)
    {
        _slots.Check(slot);
        return State(_hidden, slot, _layers - 1);
    }
}
