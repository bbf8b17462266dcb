using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Losses;

/// <summary>
/// Cross-entropy over the whole catalogue, mean over rows, with its own gradient: logits exist for one chunk of rows at a time, so memory
/// is RowsPerChunk·V and not N·V, and a chunk stays in the processor's cache while it is worked on.
/// For P = softmax(q·Eᵀ + b) less one at the target, and N rows: dq = P·E/N, dE = Pᵀ·q/N, db = Σ P/N.
/// </summary>
internal static class ChunkedSoftmaxLoss
{
    /// <summary>Floats of logits in a chunk: 4 MB. Measured at V = 3,416 on two cores: 256 rows a chunk were the fastest of 32 to 2,048.</summary>
    private const long LogitsPerChunk = 1 << 20;

    private const int MinRowsPerChunk = 16;

    /// <param name="query">[N, E], N ≥ 1, may require a gradient.</param>
    /// <param name="embedding">[V, E]</param>
    /// <param name="bias">[V]</param>
    /// <param name="targets">[N] int64, 0…V-1.</param>
    /// <param name="rowsPerChunk">0: chosen by V.</param>
    /// <returns>
    /// The loss in nats, and a scalar tensor to add to what goes backward: its value means nothing, its gradient by query, embedding and
    /// bias is the loss's. (A linear form ⟨x, dL/dx⟩ with dL/dx held constant.)
    /// </returns>
    public static (double Loss, Tensor Surrogate) Compute(Tensor query, Tensor embedding, Tensor bias, Tensor targets, int rowsPerChunk = 0)
    {
        using var scope = NewDisposeScope();
        var (rows, items) = (query.shape[0], embedding.shape[0]);
        var chunk = rowsPerChunk > 0 ? rowsPerChunk : Math.Max(MinRowsPerChunk, LogitsPerChunk / items);
        Tensor queryGradient, embeddingGradient, biasGradient;
        double sum = 0;
        using (no_grad())
        {
            var (q, e, b) = (query.detach(), embedding.detach(), bias.detach());
            var transposed = e.t();
            queryGradient = empty_like(q);
            embeddingGradient = zeros_like(e);
            biasGradient = zeros_like(b);
            for (long start = 0; start < rows; start += chunk)
            {
                using var inner = NewDisposeScope();
                var count = Math.Min(chunk, rows - start);
                var part = q.narrow(0, start, count);
                var target = targets.narrow(0, start, count).unsqueeze(1);
                var p = addmm(b, part, transposed, 1, 1).log_softmax(1);
                sum -= p.gather(1, target).sum(ScalarType.Float64).item<double>();
                p.exp_();
                p.scatter_add_(1, target, full_like(target, -1, dtype: ScalarType.Float32));
                queryGradient.narrow(0, start, count).copy_(p.mm(e));
                embeddingGradient.addmm_(p.t(), part, 1, 1);
                biasGradient.add_(p.sum([0L]));  // not sum(0): a literal zero is also a ScalarType, and that overload sums all
            }

            var scale = 1.0 / rows;
            queryGradient.mul_(scale);
            embeddingGradient.mul_(scale);
            biasGradient.mul_(scale);
        }

        var surrogate = (query * queryGradient).sum() + (embedding * embeddingGradient).sum() + (bias * biasGradient).sum();
        return (sum / rows, surrogate.MoveToOuterDisposeScope());
    }
}
