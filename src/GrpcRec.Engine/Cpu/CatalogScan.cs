using System.Numerics;
using System.Runtime.Intrinsics;
using GrpcRec.Engine.Ranking;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// next_item logits of the whole catalogue: 64 items a block, several queries a pass, so that a block of embeddings is read from memory
/// once for all of them. Scores live in one small tile; top-k keeps what is above each query's threshold and nothing else.
/// </summary>
internal sealed unsafe class CatalogScan(CpuModel model, CpuScratch scratch)
{
    private readonly CpuHeadWeights _heads = model.Heads;
    private readonly int _catalogSize = model.ItemEmbedding.Length / model.Embedding;
    private readonly TopKHeap[] _heaps = [.. Enumerable.Range(0, CpuScratch.TileRows).Select(_ => new TopKHeap())];
    private readonly int[] _nextExcluded = new int[CpuScratch.TileRows];

    /// <summary>q = W·h + b.</summary>
    /// <param name="hidden">[H].</param>
    /// <returns>[E, padded], valid until the scratch is used again.</returns>
    public float* Query(float* hidden)
    {
        Project(hidden, scratch.A);
        return scratch.A;
    }

    /// <param name="logits">[V] written.</param>
    public void ScoreAll(float* hidden, Span<float> logits)
    {
        var query = Query(hidden);
        var items = _heads.NextItems!;
        for (var block = 0; block < items.Blocks; block++)
        {
            var from = block * BlockKernel.Columns;
            var bias = _heads.NextItemBias!.Pointer + from;
            model.Kernel.Multiply(1, items.Block(block), items.Depth, query, 0, &bias, null, 0, scratch.Sums);
            new ReadOnlySpan<float>(scratch.Sums, Math.Min(BlockKernel.Columns, logits.Length - from)).CopyTo(logits[from..]);
        }
    }

    /// <param name="hidden">[queries] pointers to [H].</param>
    /// <param name="queries">At most <see cref="CpuScratch.TileRows"/>, checked.</param>
    public void Rank(float** hidden, ReadOnlySpan<RankQuery> queries)
    {
        // 1. A projected query and an empty heap each. The heap's array is the result: its length is known beforehand.
        var width = _heads.NextProjection!.Width;
        for (var n = 0; n < queries.Length; n++)
        {
            var query = queries[n];
            query.Result = new RankedItem[Math.Min(query.K, _catalogSize - query.Excluded.Length)];
            _heaps[n].Begin(query.Result);
            _nextExcluded[n] = 0;
            Project(hidden[n], scratch.A + (n * width));
        }

        // 2. Block by block, all queries on each.
        var items = _heads.NextItems!;
        for (var block = 0; block < items.Blocks; block++)
        {
            var from = block * BlockKernel.Columns;
            for (var r = 0; r < BlockKernel.MaxRows; r++)
                scratch.First[r] = _heads.NextItemBias!.Pointer + from;
            for (var n = 0; n < queries.Length;)
            {
                var count = model.Kernel.NextRows(queries.Length - n);
                model.Kernel.Multiply(count, items.Block(block), items.Depth, scratch.A + (n * width), width, scratch.First, null, 0, scratch.Sums);
                for (var r = 0; r < count; r++)
                    Collect(n + r, queries[n + r].Excluded, from, scratch.Sums + (r * BlockKernel.Columns));
                n += count;
            }
        }

        // 3. In order.
        for (var n = 0; n < queries.Length; n++)
            _heaps[n].Finish();
    }

    /// <summary>Offers the block's scores above the threshold that are neither excluded nor padding.</summary>
    private void Collect(int n, int[] excluded, int from, float* scores)
    {
        var heap = _heaps[n];
        var threshold = Vector512.Create(heap.Threshold);
        var above = Vector512.GreaterThan(Vector512.Load(scores), threshold).ExtractMostSignificantBits()
            | (Vector512.GreaterThan(Vector512.Load(scores + 16), threshold).ExtractMostSignificantBits() << 16)
            | (Vector512.GreaterThan(Vector512.Load(scores + 32), threshold).ExtractMostSignificantBits() << 32)
            | (Vector512.GreaterThan(Vector512.Load(scores + 48), threshold).ExtractMostSignificantBits() << 48);
        if (_catalogSize - from < BlockKernel.Columns)
            above &= (1UL << (_catalogSize - from)) - 1;
        ref var next = ref _nextExcluded[n];
        for (; next < excluded.Length && excluded[next] < from + BlockKernel.Columns; next++)
            above &= ~(1UL << (excluded[next] - from));
        for (; above != 0; above &= above - 1)
        {
            var lane = BitOperations.TrailingZeroCount(above);
            heap.Offer(from + lane, scores[lane]);
        }
    }

    private void Project(float* hidden, float* query)
    {
        var bias = _heads.NextProjectionBias!.Pointer;
        _heads.NextProjection!.Multiply(model.Kernel, hidden, 0, 1, &bias, null, query, relu: false, scratch.Sums);
    }
}
