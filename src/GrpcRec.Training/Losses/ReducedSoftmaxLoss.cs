using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using GrpcRec.Training.Kernels;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using TorchSharp;
using static GrpcRec.Training.Kernels.TensorMemory;
using static TorchSharp.torch;

namespace GrpcRec.Training.Losses;

/// <summary>
/// <see cref="FusedSoftmaxLoss"/> with its three products in bf16, for processors that multiply it twice as fast as float32: factors and results
/// are rounded to 8 bits of mantissa, sums inside a product are float32 (oneDNN's). Biases, terms of repeated items, the softmax and the sums over
/// chunks are float32. Of a chunk of rows the logits are made, turned into P where they stand, and multiplied back, so the [N, V] logits never exist.
/// The same bits for the same thread count.
/// </summary>
internal static unsafe class ReducedSoftmaxLoss
{
    /// <summary>Logits of a chunk at most, 32 MB, and its rows: more are no faster.</summary>
    private const int ChunkLogits = 16 << 20, ChunkRows = 1024;

    /// <summary>
    /// A chunk's rows are a multiple of these, since oneDNN makes and keeps a kernel for each shape that it meets. Queries of zeros follow the last, which
    /// add nothing to Pᵀ·q whatever their P.
    /// </summary>
    private const int RowsInStep = 256, FewRows = 16;

    /// <summary>Below so many items the chunks' beginnings and ends take what the products save.</summary>
    private const int FewItems = 2_000;

    /// <summary>The processor has AVX512_BF16; without it oneDNN makes bf16 products of float32 ones.</summary>
    public static bool IsSupported { get; } = X86Base.IsSupported && Vector512.IsHardwareAccelerated && (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0;

    /// <returns>Whether this loss is the faster one.</returns>
    public static bool IsFaster(int items) => IsSupported && items >= FewItems;

    /// <inheritdoc cref="FusedSoftmaxLoss.Compute(Tensor, TaskHeads, LabelledRows)"/>
    public static (double Loss, Tensor Surrogate) Compute(Tensor query, TaskHeads heads, LabelledRows rows) =>
        Compute(query, heads.OutputEmbedding, heads.ItemBias, rows.Targets, 0, heads.RepeatTerm, heads.RepeatTerm is null ? null : rows);

    /// <inheritdoc cref="FusedSoftmaxLoss.Compute(Tensor, Tensor, Tensor, ReadOnlySpan{long}, int, Tensor?, LabelledRows?)"/>
    public static (double Loss, Tensor Surrogate) Compute(
        Tensor query, Tensor embedding, Tensor bias, long[] targets, int threads = 0, Tensor? repeatTerm = null, LabelledRows? past = null)
    {
        using var scope = NewDisposeScope();
        var (rows, items) = (checked((int)query.shape[0]), checked((int)embedding.shape[0]));
        FusedSoftmaxLoss.CheckTargets(targets, rows, items);
        var step = Math.Clamp(ChunkLogits / items, FewRows, RowsInStep);
        var atOnce = Math.Clamp(ChunkLogits / items / step * step, step, ChunkRows);
        threads = Math.Clamp(threads > 0 ? threads : get_num_threads(), 1, rows);
        var repeats = repeatTerm is null ? null : new RepeatTermsOfRows(repeatTerm.detach().data<float>().ToArray(), past!);
        Part[] parts = [.. Enumerable.Range(0, threads).Select(_ => new Part(items, repeats))];
        try
        {
            Tensor queryGradient, embeddingGradient, biasGradient;
            using (no_grad())
            {
                queryGradient = empty(query.shape);
                embeddingGradient = zeros(embedding.shape);
                biasGradient = zeros(items);
                var q = cat([query.to(bfloat16), zeros([(step - (rows % step)) % step, query.shape[1]], bfloat16)], 0);
                var (e, b) = (embedding.to(bfloat16), bias.contiguous());
                for (var first = 0; first < rows; first += atOnce)
                    Chunk(first, Math.Min(atOnce, rows - first), q, e, b);
                foreach (var part in parts)
                    part.Rows.AddBiasGradient(Floats(biasGradient));
                foreach (var gradient in (Tensor[])[queryGradient, embeddingGradient, biasGradient])
                    gradient.div_(rows);
            }

            var repeatGradient = SoftmaxRows.MeanRepeatGradient(Array.ConvertAll(parts, part => part.Rows), rows);
            var surrogate = FusedSoftmaxLoss.Surrogate([(query, queryGradient), (embedding, embeddingGradient), (bias, biasGradient)], repeatTerm, repeatGradient);
            return (parts.Sum(part => part.Rows.Loss) / rows, surrogate.MoveToOuterDisposeScope());

            void Chunk(int first, int count, Tensor q, Tensor e, Tensor b)
            {
                using var chunk = NewDisposeScope();
                var padded = (count + step - 1) / step * step;
                var own = q.narrow(0, first, padded);
                var logits = own.mm(e.t());
                var (words, biases, share) = ((nint)Words(logits), (nint)Floats(b), (count + threads - 1) / threads);
                ForEachPart(count, Math.Min(threads, count), (from, to) =>
                {
                    for (var row = from; row < to; row++)
                        parts[from / share].Turn((ushort*)words + ((nint)row * items), (float*)biases, (int)targets[first + row], first + row);
                });
                queryGradient.narrow(0, first, count).copy_(logits.mm(e).narrow(0, 0, count));
                embeddingGradient.add_(logits.t().mm(own));
            }
        }
        finally
        {
            foreach (var part in parts)
                part.Dispose();
        }
    }

    private static ushort* Words(Tensor tensor)
    {
        fixed (byte* first = tensor.bytes)
            return (ushort*)first;
    }

    /// <summary>One thread's rows, and one of them in float32.</summary>
    private sealed class Part(int items, RepeatTermsOfRows? repeats) : IDisposable
    {
        private readonly int _padding = BlockProduct.Padded(items) - items;
        private readonly NativeFloats _row = new(BlockProduct.Padded(items));

        public SoftmaxRows Rows { get; } = new(items, repeats);

        /// <param name="words">[items] logits without biases; P on return.</param>
        public void Turn(ushort* words, float* bias, int target, int row)
        {
            var x = _row.Pointer;
            var j = 0;
            for (; j <= items - 32; j += 32)
            {
                var (low, high) = Vector512.Widen(Vector512.Load(words + j));
                ((low << 16).AsSingle() + Vector512.Load(bias + j)).Store(x + j);
                ((high << 16).AsSingle() + Vector512.Load(bias + j + 16)).Store(x + j + 16);
            }

            for (; j < items; j++)
                x[j] = BitConverter.UInt32BitsToSingle((uint)words[j] << 16) + bias[j];
            new Span<float>(x + items, _padding).Fill(SoftmaxRows.NeverLikely);
            Rows.Turn(x, target, row);
            for (j = 0; j <= items - 32; j += 32)
                Vector512.Narrow(Rounded(Vector512.Load((uint*)(x + j))), Rounded(Vector512.Load((uint*)(x + j + 16)))).Store(words + j);
            for (; j < items; j++)
                words[j] = (ushort)Rounded(Vector512.CreateScalar(BitConverter.SingleToUInt32Bits(x[j])))[0];
        }

        public void Dispose()
        {
            _row.Dispose();
            Rows.Dispose();
        }

        /// <summary>The upper halves, rounded to the nearest, ties to even. A NaN that carries would become zero, but P has none where the loss is finite.</summary>
        private static Vector512<uint> Rounded(Vector512<uint> bits) => (bits + Vector512.Create(0x7FFFu) + ((bits >>> 16) & Vector512<uint>.One)) >>> 16;
    }
}
