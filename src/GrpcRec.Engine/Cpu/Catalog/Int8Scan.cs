using System.Numerics;
using System.Runtime.CompilerServices;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>
/// The best k by float32 score without computing most of the scores: bounds from bytes say which items can be among them, and those are
/// scored in float32 by the same chain of operations as in <see cref="Float32Scan"/>. Same items, same bits.
/// </summary>
internal sealed unsafe class Int8Scan(CatalogTable table, sbyte* codes, nint stride, ListScan list) : IDisposable
{
    /// <summary>A block with more candidates than this is scored whole: cheaper than one by one.</summary>
    private const int DenseBlock = 12;

    private readonly AlignedBuffer _scratch = new((Int8Kernel.MaxRows * Int8Kernel.Columns) + Int8Kernel.Columns);

    private int* Sums => (int*)_scratch.Pointer;

    /// <summary>[64].</summary>
    private float* Scores => _scratch.Pointer + (Int8Kernel.MaxRows * Int8Kernel.Columns);

    /// <summary>Finds candidates: <see cref="Finish"/> makes answers of them.</summary>
    /// <param name="whole">Queries without a mask, in rows 0…; their bytes have begun, as have those of the others.</param>
    /// <param name="single">Others, wherever they stand: a mask lets most of them pass over blocks.</param>
    /// <param name="from">First block.</param>
    /// <param name="to">Past the last block.</param>
    public void Run(ReadOnlySpan<ScanQuery> whole, ReadOnlySpan<ScanQuery> single, int from, int to)
    {
        if (whole.Length + single.Length == 0)
            return;
        var catalog = table.Codes!;
        for (var block = from; block < to; block++)
        {
            for (var n = 0; n < whole.Length;)
            {
                var count = Int8Kernel.NextRows(whole.Length - n);
                if (count == 1)
                {
                    Collect(catalog, whole[n++], block);
                    continue;
                }

                Int8Kernel.Multiply<SignedInputs>(table.Int8, count, catalog.Codes(block), catalog.Groups, (byte*)codes + (n * stride), stride, Sums);
                for (var r = 0; r < count; r++)
                    Collect(catalog, whole[n + r], block, Sums + (r * Int8Kernel.Columns));
                n += count;
            }

            foreach (var query in single)
            {
                if (query.Mask is not null && query.Mask.Words[block] == 0)
                    continue;
                Collect(catalog, query, block);
            }
        }
    }

    /// <summary>Takes over the candidates that the same query has found on another thread.</summary>
    public void Merge(ScanQuery query, ScanQuery other)
    {
        for (var next = 0; (next = query.Bytes->Take(other.Bytes, next)) < other.Bytes->Count;)
            MakeRoom(query);
    }

    /// <summary>Scores what the bounds have left.</summary>
    public void Finish(ScanQuery query)
    {
        Score(query);
        if (query.IsGuessRight)
            return;
        query.BeginWithoutGuess();
        Run([], [query], 0, table.Blocks);
        Score(query);
    }

    public void Dispose() => _scratch.Dispose();

    private void Score(ScanQuery query)
    {
        // The likeliest set a threshold that spares most of the others.
        query.Bytes->Prune();
        var first = query.Bytes->BringForward();
        list.Run(query, query.Bytes->Items[..first]);
        query.Bytes->Keep(query.Heap.Threshold, first);
        list.Run(query, query.Bytes->Items[first..]);
    }

    /// <summary>The product of one query alone, its bounds taken while the sums are still in registers.</summary>
    private void Collect(Int8Catalog catalog, ScanQuery query, int block)
    {
        var bytes = query.Bytes;
        if (table.Int8 != Int8Path.Vnni)
        {
            Int8Kernel.Multiply<SignedInputs>(table.Int8, 1, catalog.Codes(block), catalog.Groups, (byte*)bytes->Codes, stride, Sums);
            Collect(catalog, query, block, Sums);
            return;
        }

        var bound = Bound(catalog, bytes, block);
        var items = Int8Kernel.MultiplyRow(catalog.Codes(block), catalog.Groups, bytes->Codes, bound, catalog.Scale(block), catalog.UpperBias(block), Sums);
        if (items != 0)
            Keep(catalog, query, block, items, Sums, bound.Radius);
    }

    /// <summary>Keeps the items that can still be among the best.</summary>
    /// <param name="sums">[64] of products of bytes.</param>
    private void Collect(Int8Catalog catalog, ScanQuery query, int block, int* sums)
    {
        var bound = Bound(catalog, query.Bytes, block);
        var items = bound.Reaching(sums, catalog.Scale(block), catalog.UpperBias(block));
        if (items != 0)
            Keep(catalog, query, block, items, sums, bound.Radius);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static UpperBound Bound(Int8Catalog catalog, Int8Query* bytes, int block) =>
        new(bytes->Offset, bytes->Scale, catalog.Radius(block, bytes->Norm, bytes->Error), bytes->Threshold);

    private void Keep(Int8Catalog catalog, ScanQuery query, int block, ulong items, int* sums, float radius)
    {
        var bytes = query.Bytes;
        items &= table.ItemsOf(block);
        if (bytes->IsFiltered)
            items = query.Allowed(block, items);
        if (items == 0)
            return;
        if (bytes->Count >= bytes->Limit)
            MakeRoom(query);
        var from = block * Int8Kernel.Columns;
        if (BitOperations.PopCount(items) > DenseBlock)
        {
            var first = table.ItemBias.Pointer + from;
            table.Kernel.Multiply(1, table.Items.Block(block), table.Depth, query.Vector, 0, &first, null, 0, Scores);
            for (; items != 0; items &= items - 1)
            {
                var lane = BitOperations.TrailingZeroCount(items);
                if (Scores[lane] >= bytes->Threshold)
                    bytes->Add(from + lane, Scores[lane], Scores[lane]);
            }

            return;
        }

        for (; items != 0; items &= items - 1)
        {
            var lane = BitOperations.TrailingZeroCount(items);
            double scale = catalog.Scale(block)[lane], width = scale * radius;
            var middle = (scale * bytes->Scale * (sums[lane] - bytes->Offset)) + catalog.UpperBias(block)[lane];
            var lower = middle - width - catalog.Gap(block);
            var upper = middle + width;
            bytes->Add(from + lane, MathF.BitDecrement((float)lower), MathF.BitIncrement((float)upper));
        }
    }

    /// <summary>Forgets candidates; where too many are left, scores them now. Bounds then cost more than they save, but memory stays put.</summary>
    private void MakeRoom(ScanQuery query)
    {
        query.Bytes->Prune();
        if (query.Bytes->Count < Int8Query.Capacity - Int8Kernel.Columns)
            return;
        list.Run(query, query.Bytes->Items);
        query.Bytes->Clear(query.Heap.Threshold);
    }
}
