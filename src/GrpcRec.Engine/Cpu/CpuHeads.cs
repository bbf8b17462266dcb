using GrpcRec.Engine.Cpu.Catalog;
using System.Runtime.Intrinsics;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>The task heads of one engine. Equations: <see cref="Models.ModelTensors"/>.</summary>
internal sealed unsafe class CpuHeads(CpuModel model, CpuScratch scratch, CatalogScan scan, HeadLayout layout)
{
    private const int TileRows = CpuScratch.TileRows;

    private readonly CpuHeadWeights _weights = model.Heads;
    private readonly BlockKernel _kernel = model.Kernel;

    // [E padded] p and [S padded] the sequence's part of the bottom: the same for all candidates of a call.
    private readonly float[] _projection = GC.AllocateArray<float>(model.Heads.BottomProjection?.Width ?? 0, pinned: true);
    private readonly float[] _sequencePart = GC.AllocateArray<float>(model.Heads.BottomHidden?.Width ?? 0, pinned: true);

    /// <param name="hidden">[H padded to 64] zero past H.</param>
    /// <param name="logits">[N, CandidateWidth].</param>
    public void ScoreCandidates(float* hidden, ReadOnlySpan<int> items, Span<float> logits)
    {
        if (layout.HasNextItem)
            ScoreNextItem(hidden, items, logits);
        if (layout.Candidate.Length == 0)
            return;

        var zero = model.Zero;
        var bias = _weights.BottomBias!.Pointer;
        fixed (float* projection = _projection, sequencePart = _sequencePart)
        {
            _weights.BottomProjection!.Multiply(_kernel, hidden, 0, 1, &zero, null, projection, relu: false);
            _weights.BottomHidden!.Multiply(_kernel, hidden, 0, 1, &bias, null, sequencePart, relu: false);
            for (var done = 0; done < items.Length; done += TileRows)
            {
                var count = Math.Min(TileRows, items.Length - done);
                ScoreTile(items.Slice(done, count), projection, sequencePart, logits.Slice(done * layout.CandidateWidth, count * layout.CandidateWidth));
            }
        }
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
    private void ScoreNextItem(float* hidden, ReadOnlySpan<int> items, Span<float> logits)
    {
        var query = scan.Query(hidden);
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

    private void ScoreTile(ReadOnlySpan<int> items, float* projection, float* sequencePart, Span<float> logits)
    {
        // 1. Inputs: p∘e, and e before it where its part is not tabulated.
        var bottom = _weights.BottomItem!;
        fixed (float* table = model.ItemEmbedding)
        {
            for (var r = 0; r < items.Length; r++)
            {
                var row = scratch.Rows + (r * scratch.Stride);
                var e = Row(table, items[r]);
                scratch.Second[r] = sequencePart;
                if (_weights.HasBottomTable)
                {
                    scratch.First[r] = _weights.BottomRow(items[r]);
                }
                else
                {
                    scratch.First[r] = model.Zero;
                    new ReadOnlySpan<float>(e, model.Embedding).CopyTo(new Span<float>(row, model.Embedding));
                    row += model.Embedding;
                }

                Multiply(projection, e, row, model.Embedding);
            }
        }

        // 2. bottom = relu(W_h·h + W_e·e + W_x·x + b), then each task's tower on it.
        bottom.Multiply(_kernel, scratch.Rows, scratch.Stride, items.Length, scratch.First, scratch.Second, scratch.A, relu: true);
        foreach (var head in layout.Candidate)
            ScoreTask(head, scratch.A, bottom.Width, items.Length, logits, layout.CandidateWidth);
    }

    /// <param name="x">[rows, width] the task's input, zero past its true width.</param>
    /// <param name="logits">[rows, logitWidth].</param>
    private void ScoreTask(HeadColumn head, float* x, int width, int rows, Span<float> logits, int logitWidth)
    {
        var task = _weights.Task(head.Task.Name);
        if (task.Tower is { } tower)
        {
            for (var r = 0; r < rows; r++)
            {
                scratch.First[r] = task.TowerBias!.Pointer;
                scratch.Second[r] = model.Zero;
            }

            tower.Multiply(_kernel, x, width, rows, scratch.First, scratch.Second, scratch.B, relu: true);
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

    private static void Multiply(float* a, float* b, float* product, int count)
    {
        var k = 0;
        for (; k <= count - 16; k += 16)
            (Vector512.Load(a + k) * Vector512.Load(b + k)).Store(product + k);
        for (; k < count; k++)
            product[k] = a[k] * b[k];
    }
}
