using System.Numerics;
using System.Runtime.Intrinsics;
using GrpcRec.Engine.Ranking;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>Every score in float32, block by block and all queries on each, so that a block is read from memory once.</summary>
internal sealed unsafe class Float32Scan(CatalogTable table, float* vectors, nint stride, float* sums)
{
    /// <param name="whole">Queries without a mask, in rows 0…</param>
    /// <param name="single">Others, wherever they stand: a mask lets most of them pass over blocks.</param>
    /// <param name="from">First block.</param>
    /// <param name="to">Past the last block.</param>
    public void Run(ReadOnlySpan<ScanQuery> whole, ReadOnlySpan<ScanQuery> single, int from, int to)
    {
        if (whole.Length + single.Length == 0)
            return;
        var first = stackalloc float*[BlockKernel.MaxRows];
        for (var block = from; block < to; block++)
        {
            for (var r = 0; r < BlockKernel.MaxRows; r++)
                first[r] = table.ItemBias.Pointer + (block * BlockKernel.Columns);
            for (var n = 0; n < whole.Length;)
            {
                var count = table.Kernel.NextRows(whole.Length - n);
                table.Kernel.Multiply(count, table.Items.Block(block), table.Depth, vectors + (n * stride), stride, first, null, 0, sums);
                for (var r = 0; r < count; r++)
                    Collect(whole[n + r], block, sums + (r * BlockKernel.Columns));
                n += count;
            }

            foreach (var query in single)
            {
                if (query.Mask is not null && query.Mask.Words[block] == 0)
                    continue;
                table.Kernel.Multiply(1, table.Items.Block(block), table.Depth, query.Vector, stride, first, null, 0, sums);
                Collect(query, block, sums);
            }
        }
    }

    /// <summary>Offers the scores that may be among the best so far.</summary>
    private void Collect(ScanQuery query, int block, float* scores)
    {
        var threshold = Vector512.Create(query.Heap.Threshold);
        var items = Vector512.GreaterThanOrEqual(Vector512.Load(scores), threshold).ExtractMostSignificantBits()
            | (Vector512.GreaterThanOrEqual(Vector512.Load(scores + 16), threshold).ExtractMostSignificantBits() << 16)
            | (Vector512.GreaterThanOrEqual(Vector512.Load(scores + 32), threshold).ExtractMostSignificantBits() << 32)
            | (Vector512.GreaterThanOrEqual(Vector512.Load(scores + 48), threshold).ExtractMostSignificantBits() << 48);
        if (items == 0)
            return;
        for (items = query.Allowed(block, items & table.ItemsOf(block)); items != 0; items &= items - 1)
        {
            var lane = BitOperations.TrailingZeroCount(items);
            query.Heap.Offer((block * BlockKernel.Columns) + lane, scores[lane]);
        }
    }
}
