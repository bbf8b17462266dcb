using System.Runtime.InteropServices;
using GrpcRec.Training.Kernels;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using TorchSharp;
using static GrpcRec.Training.Kernels.TensorMemory;
using static TorchSharp.torch;

namespace GrpcRec.Training.Losses;

/// <summary>
/// Cross-entropy over the whole catalogue, mean over rows, with its own gradient, on our own vector kernels: a tile of rows has its logits,
/// their softmax and all three gradients made while the tile is in the second-level cache, so the [N, V] logits never exist and memory is
/// read once. For P = softmax(q·Eᵀ + b + r) less one at the target, and N rows: dq = P·E/N, dE = Pᵀ·q/N, db = Σ P/N, and the derivative of a
/// repeat term Σ P/N over the items that it was added to.
/// Rows are cut into one part for each thread, in a fixed way, and the parts are added in order: the same bits for the same thread count.
/// </summary>
internal static unsafe class FusedSoftmaxLoss
{
    /// <summary>Floats of logits in a tile: 384 KB, so that it stays in a 1 MB cache beside the embeddings that stream through.</summary>
    private const int TileFloats = 96 << 10;

    private const int MinTileRows = BlockProduct.MaxRows;
    private const int MaxTileRows = 96;

    /// <param name="rows">[N] their targets, and what was read before each where the model has terms of repeated items.</param>
    public static (double Loss, Tensor Surrogate) Compute(Tensor query, TaskHeads heads, LabelledRows rows) =>
        Compute(query, heads.OutputEmbedding, heads.ItemBias, rows.Targets, 0, heads.RepeatTerm, heads.RepeatTerm is null ? null : rows);

    /// <param name="query">[N, E], N ≥ 1, may require a gradient.</param>
    /// <param name="embedding">[V, E]</param>
    /// <param name="bias">[V]</param>
    /// <param name="targets">[N] items, 0…V-1.</param>
    /// <param name="threads">0: as many as torch computes with.</param>
    /// <param name="repeatTerm">[D] or null.</param>
    /// <param name="past">What was read before each row; null where there are no such terms.</param>
    /// <returns>
    /// The loss in nats, and a scalar tensor to add to what goes backward: its value means nothing, its gradient by query, embedding and
    /// bias is the loss's. (A linear form ⟨x, dL/dx⟩ with dL/dx held constant.)
    /// </returns>
    public static (double Loss, Tensor Surrogate) Compute(
        Tensor query, Tensor embedding, Tensor bias, ReadOnlySpan<long> targets, int threads = 0, Tensor? repeatTerm = null, LabelledRows? past = null)
    {
        using var scope = NewDisposeScope();
        var (rows, items, width) = (checked((int)query.shape[0]), checked((int)embedding.shape[0]), checked((int)query.shape[1]));
        CheckTargets(targets, rows, items);
        Tensor queryGradient, embeddingGradient, biasGradient;
        var repeats = repeatTerm is null ? null : new RepeatTermsOfRows(repeatTerm.detach().data<float>().ToArray(), past!);
        double sum;
        float[] repeatGradient;
        using (no_grad())
        {
            using var work = new Work(rows, items, width, Math.Clamp(threads > 0 ? threads : get_num_threads(), 1, Math.Max(1, rows / MinTileRows)));
            queryGradient = empty(rows, width);
            embeddingGradient = empty(items, width);
            biasGradient = empty(items);
            (sum, repeatGradient) = work.Run(
                Floats(query.detach().contiguous()), Floats(embedding.detach().contiguous()), Floats(bias.detach().contiguous()), targets,
                Floats(queryGradient), Floats(embeddingGradient), Floats(biasGradient), repeats);
        }

        return (sum / rows, Surrogate([(query, queryGradient), (embedding, embeddingGradient), (bias, biasGradient)], repeatTerm, repeatGradient).MoveToOuterDisposeScope());
    }

    /// <exception cref="ArgumentException">There is not one for each row, or one is no item.</exception>
    public static void CheckTargets(ReadOnlySpan<long> targets, int rows, int items)
    {
        if (targets.Length != rows)
            throw new ArgumentException($"{targets.Length} targets for {rows} rows", nameof(targets));
        foreach (var target in targets)
        {
            if ((ulong)target >= (ulong)items)
                throw new ArgumentOutOfRangeException(nameof(targets), $"target {target} is not from 0 to {items - 1}");
        }
    }

    /// <summary>Σ⟨x, dL/dx⟩ with dL/dx held constant: its gradient is the loss's.</summary>
    public static Tensor Surrogate((Tensor X, Tensor Gradient)[] pairs, Tensor? repeatTerm, float[] repeatGradient)
    {
        var sum = pairs.Select(pair => (pair.X * pair.Gradient).sum()).Aggregate((a, b) => a + b);
        return repeatTerm is null ? sum : sum + (repeatTerm * tensor(repeatGradient)).sum();
    }

    /// <summary>Scratch memory and the passes over it, for one call.</summary>
    private sealed class Work : IDisposable
    {
        private readonly int _rows, _items, _width, _paddedItems, _paddedWidth, _threads, _tileRows;
        private readonly NativeFloats _byItem, _packed, _bias, _zero;

        public Work(int rows, int items, int width, int threads)
        {
            (_rows, _items, _width, _threads) = (rows, items, width, threads);
            (_paddedItems, _paddedWidth) = (BlockProduct.Padded(items), BlockProduct.Padded(width));
            _tileRows = Math.Clamp(TileFloats / _paddedItems / BlockProduct.MaxRows * BlockProduct.MaxRows, MinTileRows, MaxTileRows);
            _byItem = new((long)_paddedItems * _paddedWidth);
            _packed = new((long)_paddedItems * width);
            _bias = new(_paddedItems);
            _zero = new(_paddedWidth);
        }

        /// <returns>Σ over rows of -log p(target), and [D] the gradient of the terms.</returns>
        public (double Loss, float[] RepeatGradient) Run(
            float* query, float* embedding, float* bias, ReadOnlySpan<long> targets, float* queryGradient, float* embeddingGradient, float* biasGradient, RepeatTermsOfRows? repeats)
        {
            Pack(embedding, bias);
            var parts = new Part[_threads];
            var goals = targets.ToArray();
            var share = (_rows + _threads - 1) / _threads;
            for (var n = 0; n < _threads; n++)
                parts[n] = new Part(this, Math.Min(_rows, n * share), Math.Min(_rows, (n + 1) * share), repeats);
            try
            {
                var (q, dq) = ((nint)query, (nint)queryGradient);
                Parallel.For(0, _threads, new ParallelOptions { MaxDegreeOfParallelism = _threads }, n => parts[n].Run((float*)q, goals, (float*)dq));
                var scale = 1f / _rows;
                double loss = 0;
                new Span<float>(embeddingGradient, _items * _width).Clear();
                new Span<float>(biasGradient, _items).Clear();
                foreach (var part in parts)
                {
                    loss += part.Rows.Loss;
                    part.AddTo(embeddingGradient, biasGradient);
                }

                Scale(embeddingGradient, (long)_items * _width, scale);
                Scale(biasGradient, _items, scale);
                Scale(queryGradient, (long)_rows * _width, scale);
                return (loss, SoftmaxRows.MeanRepeatGradient(Array.ConvertAll(parts, part => part.Rows), _rows));
            }
            finally
            {
                foreach (var part in parts)
                    part.Dispose();
            }
        }

        public void Dispose()
        {
            foreach (var memory in (NativeFloats[])[_byItem, _packed, _bias, _zero])
                memory.Dispose();
        }

        private static void Scale(float* x, long count, float scale)
        {
            for (long done = 0; done < count; done += 1 << 20)
            {
                var part = new Span<float>(x + done, (int)Math.Min(1 << 20, count - done));
                System.Numerics.Tensors.TensorPrimitives.Multiply(part, scale, part);
            }
        }

        /// <summary>Embeddings padded by item [V, E] for the query gradient, and in blocks of 64 items [V/64, E, 64] for the logits.</summary>
        private void Pack(float* embedding, float* bias)
        {
            for (var item = 0; item < _items; item++)
            {
                var row = new ReadOnlySpan<float>(embedding + ((long)item * _width), _width);
                row.CopyTo(new Span<float>(_byItem.Pointer + ((long)item * _paddedWidth), _width));
                var column = _packed.Pointer + ((long)(item / BlockProduct.Columns) * _width * BlockProduct.Columns) + (item % BlockProduct.Columns);
                for (var k = 0; k < row.Length; k++)
                    column[k * BlockProduct.Columns] = row[k];
            }

            new ReadOnlySpan<float>(bias, _items).CopyTo(new Span<float>(_bias.Pointer, _items));
            new Span<float>(_bias.Pointer + _items, _paddedItems - _items).Fill(SoftmaxRows.NeverLikely);
        }

        /// <summary>One thread's rows.</summary>
        private sealed class Part(Work work, int from, int to, RepeatTermsOfRows? repeats) : IDisposable
        {
            // A cache line more than a multiple of the page: rows would share the cache's sets.
            private readonly nint _stride = work._paddedItems + 16;
            private readonly NativeFloats _logits = new((long)work._tileRows * (work._paddedItems + 16));
            private readonly NativeFloats _query = new((long)work._tileRows * work._paddedWidth);
            private readonly NativeFloats _queryGradient = new((long)work._tileRows * work._paddedWidth);
            private readonly NativeFloats _embeddingGradient = new((long)work._paddedItems * work._paddedWidth);

            public SoftmaxRows Rows { get; } = new(work._items, repeats);

            public void Run(float* query, long[] targets, float* queryGradient)
            {
                for (var row = from; row < to; row += work._tileRows)
                    RunTile(row, Math.Min(work._tileRows, to - row), query, targets, queryGradient);
            }

            public void AddTo(float* embeddingGradient, float* biasGradient)
            {
                for (var item = 0; item < work._items; item++)
                {
                    var target = new Span<float>(embeddingGradient + ((long)item * work._width), work._width);
                    System.Numerics.Tensors.TensorPrimitives.Add(target, new ReadOnlySpan<float>(_embeddingGradient.Pointer + ((long)item * work._paddedWidth), work._width), target);
                }

                Rows.AddBiasGradient(biasGradient);
            }

            public void Dispose()
            {
                foreach (var memory in (NativeFloats[])[_logits, _query, _queryGradient, _embeddingGradient])
                    memory.Dispose();
                Rows.Dispose();
            }

            private void RunTile(int row, int count, float* query, long[] targets, float* queryGradient)
            {
                const int columns = BlockProduct.Columns;
                var (width, paddedWidth, items) = (work._width, work._paddedWidth, work._paddedItems);
                for (var r = 0; r < count; r++)
                    new ReadOnlySpan<float>(query + ((long)(row + r) * width), width).CopyTo(new Span<float>(_query.Pointer + ((nint)r * paddedWidth), width));

                // 1. Logits: a block of items against all rows of the tile.
                for (var block = 0; block < items; block += columns)
                {
                    for (var r = 0; r < count; r += BlockProduct.MaxRows)
                    {
                        BlockProduct.Multiply(
                            Math.Min(BlockProduct.MaxRows, count - r), _query.Pointer + ((nint)r * paddedWidth), paddedWidth, 1,
                            work._packed.Pointer + ((long)block * width), columns, width, work._bias.Pointer + block, 0, _logits.Pointer + (r * _stride) + block, _stride);
                    }
                }

                // 2. P.
                for (var r = 0; r < count; r++)
                    Rows.Turn(_logits.Pointer + (r * _stride), (int)targets[row + r], row + r);

                // 3. dq = P·E.
                for (var column = 0; column < paddedWidth; column += columns)
                {
                    for (var r = 0; r < count; r += BlockProduct.MaxRows)
                    {
                        BlockProduct.Multiply(
                            Math.Min(BlockProduct.MaxRows, count - r), _logits.Pointer + (r * _stride), _stride, 1,
                            work._byItem.Pointer + column, paddedWidth, work._items, work._zero.Pointer, 0, _queryGradient.Pointer + ((nint)r * paddedWidth) + column, paddedWidth);
                    }
                }

                for (var r = 0; r < count; r++)
                    new ReadOnlySpan<float>(_queryGradient.Pointer + ((nint)r * paddedWidth), width).CopyTo(new Span<float>(queryGradient + ((long)(row + r) * width), width));

                // 4. dE += Pᵀ·q: six items at a time, rows of the tile as depth.
                for (var column = 0; column < paddedWidth; column += columns)
                {
                    for (var item = 0; item < work._items; item += BlockProduct.MaxRows)
                    {
                        var target = _embeddingGradient.Pointer + ((long)item * paddedWidth) + column;
                        BlockProduct.Multiply(
                            Math.Min(BlockProduct.MaxRows, work._items - item), _logits.Pointer + item, 1, _stride, _query.Pointer + column, paddedWidth, count,
                            target, paddedWidth, target, paddedWidth);
                    }
                }
            }
        }
    }
}
