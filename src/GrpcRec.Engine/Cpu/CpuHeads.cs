using GrpcRec.Engine.Cpu.Catalog;
using GrpcRec.Engine.Cpu.Trunks;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>The task heads of one engine. Equations: <see cref="Models.ModelTensors"/>.</summary>
internal sealed unsafe class CpuHeads(CpuModel model, CpuScratch scratch, CatalogScan scan, HeadLayout layout) : IDisposable
{
    private readonly CpuHeadWeights _weights = model.Heads;
    private readonly BlockKernel _kernel = model.Kernel;
    private readonly CpuTrunk? _trunk = model.Heads.Trunk?.CreateTrunk();

    public void Dispose() => _trunk?.Dispose();

    /// <param name="state">Its hidden [H + R padded to 64]: the encoder's output ‖ the embeddings of the request's features, zero past them.</param>
    /// <param name="logits">[N, CandidateWidth].</param>
    public void ScoreCandidates(SlotState state, ReadOnlySpan<int> items, Span<float> logits)
    {
        if (layout.HasNextItem)
            ScoreNextItem(state, items, logits);
        if (_trunk is null)
            return;

        _trunk.Begin(state.Hidden);
        for (var done = 0; done < items.Length; done += CpuTrunk.TileRows)
        {
            var count = Math.Min(CpuTrunk.TileRows, items.Length - done);
            _trunk.Run(items.Slice(done, count));
            var tile = logits.Slice(done * layout.CandidateWidth, count * layout.CandidateWidth);
            for (var task = 0; task < layout.Candidate.Length; task++)
                ScoreTask(layout.Candidate[task], _trunk.Output(task), _weights.Trunk!.OutputWidth, count, tile, layout.CandidateWidth);
        }

        foreach (var head in layout.Candidate)
        {
            if (head.Task.ItemBias)
                AddItemTerms(head, items, logits);
        }

        layout.Chain(logits);
    }

    /// <param name="hidden">[H padded to 64] zero past H.</param>
    /// <param name="logits">[SequenceWidth].</param>
    public void ScoreSequence(float* hidden, Span<float> logits)
    {
        foreach (var head in layout.Sequence)
            ScoreTask(head, hidden, PackedMatrix.PaddedWidth(model.Hidden), 1, logits, layout.SequenceWidth);
    }

    /// <summary>
    /// The same sums in the same order as <see cref="CatalogScan"/>, so that a candidate's logit is bit-equal to its ranking score. Four
    /// items at a time: a single sum would wait for itself at every step.
    /// </summary>
    private void ScoreNextItem(SlotState state, ReadOnlySpan<int> items, Span<float> logits)
    {
        var query = scan.Query(state);
        var depth = model.Embedding;
        var bias = _weights.NextItemBias!.Pointer;
        var rows = stackalloc float*[4];
        var sums = stackalloc float[4];
        fixed (float* table = _weights.NextEmbedding)
        {
            for (var n = 0; n < items.Length; n += 4)
            {
                for (var i = 0; i < 4; i++)
                {
                    // Past the end the last item is computed again.
                    var item = items[Math.Min(n + i, items.Length - 1)];
                    rows[i] = Row(table, item);
                    sums[i] = bias[item];
                }

                _kernel.MultiplyFour(query, depth, rows, sums);
                for (var i = 0; i < Math.Min(4, items.Length - n); i++)
                    logits[((n + i) * layout.CandidateWidth) + layout.NextItemOffset] = sums[i];
            }
        }
    }

    private void AddItemTerms(HeadColumn head, ReadOnlySpan<int> items, Span<float> logits)
    {
        var terms = _weights.Task(head.Task.Name).ItemTerms;
        for (var n = 0; n < items.Length; n++)
            logits[(n * layout.CandidateWidth) + head.Offset] += terms[items[n]];
    }

    /// <param name="x">[rows, width] the task's input, zero past its true width.</param>
    /// <param name="logits">[rows, logitWidth].</param>
    private void ScoreTask(HeadColumn head, float* x, int width, int rows, Span<float> logits, int logitWidth)
    {
        var task = _weights.Task(head.Task.Name);
        if (task.Tower is { } tower)
        {
            for (var r = 0; r < rows; r++)
                scratch.First[r] = task.TowerBias!.Pointer;
            tower.Multiply(_kernel, x, width, rows, scratch.First, null, scratch.B, relu: true);
            x = scratch.B;
            width = tower.Width;
        }

        for (var r = 0; r < rows; r++)
        {
            for (var c = 0; c < task.OutputBias.Length; c++)
                logits[(r * logitWidth) + head.Offset + c] = task.OutputBias[c] + _kernel.Dot(x + ((nint)r * width), task.Output.Pointer + ((nint)c * task.InputWidth), width);
        }
    }

    private float* Row(float* table, int item) => table + ((long)item * model.Embedding);
}
