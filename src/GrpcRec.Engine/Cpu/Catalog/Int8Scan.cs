using System.Numerics;
using System.Runtime.Intrinsics;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>
/// The best k by float32 score without computing most of the scores: bounds from bytes say which items can be among them, and those are
/// scored in float32 by the same chain of operations as in <see cref="Float32Scan"/>. Same items, same bits.
/// </summary>
internal sealed unsafe class Int8Scan(CatalogTable table, sbyte* codes, nint stride, ListScan list) : IDisposable
{
    /// <summary>A block with more candidates than this is scored whole: cheaper than one by one.</summary>
    private const int DenseBlock = 12;

    private readonly AlignedBuffer _scratch = new((Int8Kernel.MaxRows * Int8Kernel.Columns) + (2 * Int8Kernel.Columns));

    private int* Sums => (int*)_scratch.Pointer;

    /// <summary>[64].</summary>
    private float* Uppers => _scratch.Pointer + (Int8Kernel.MaxRows * Int8Kernel.Columns);

    /// <summary>[64].</summary>
    private float* Scores => Uppers + Int8Kernel.Columns;

    /// <param name="whole">Queries without a mask, in rows 0…; their bytes have begun, as have those of the others.</param>
    /// <param name="single">Others, wherever they stand: a mask lets most of them pass over blocks.</param>
    public void Run(ReadOnlySpan<ScanQuery> whole, ReadOnlySpan<ScanQuery> single)
    {
        if (whole.Length + single.Length == 0)
            return;
        var catalog = table.Codes!;
        for (var block = 0; block < catalog.Blocks; block++)
        {
            for (var n = 0; n < whole.Length;)
            {
                var count = Int8Kernel.NextRows(whole.Length - n);
                Int8Kernel.Multiply<SignedInputs>(table.Int8, count, catalog.Codes(block), catalog.Groups, (byte*)codes + (n * stride), stride, Sums);
                for (var r = 0; r < count; r++)
                    Collect(catalog, whole[n + r], block, Sums + (r * Int8Kernel.Columns));
                n += count;
            }

            foreach (var query in single)
            {
                if (query.Mask is not null && query.Mask.Words[block] == 0)
                    continue;
                Int8Kernel.Multiply<SignedInputs>(table.Int8, 1, catalog.Codes(block), catalog.Groups, (byte*)query.Codes.Pointer, stride, Sums);
                Collect(catalog, query, block, Sums);
            }
        }

        ScoreLeft(whole);
        ScoreLeft(single);
    }

    private void ScoreLeft(ReadOnlySpan<ScanQuery> queries)
    {
        foreach (var query in queries)
        {
            query.Codes.Prune(query.Heap.Threshold);
            list.Run(query, query.Codes.Items);
        }
    }

    public void Dispose() => _scratch.Dispose();

    /// <summary>Keeps the items that can still be among the best.</summary>
    /// <param name="sums">[64] of products of bytes.</param>
    private void Collect(Int8Catalog catalog, ScanQuery query, int block, int* sums)
    {
        var bytes = query.Codes;
        var radius = catalog.Radius(block, bytes.Norm, bytes.Error);
        float* scale = catalog.Scale(block), bias = catalog.UpperBias(block);
        var offset = Vector512.Create(bytes.Offset);
        var t = Vector512.Create(bytes.Scale);
        var r = Vector512.Create(radius);
        var threshold = Vector512.Create(bytes.Threshold);
        var items = 0UL;
        for (var j = 0; j < Int8Kernel.Columns; j += 16)
        {
            var products = Vector512.ConvertToSingle(Vector512.Load(sums + j) - offset);
            var upper = Vector512.FusedMultiplyAdd(Vector512.FusedMultiplyAdd(products, t, r), Vector512.Load(scale + j), Vector512.Load(bias + j));
            upper.Store(Uppers + j);
            items |= Vector512.GreaterThanOrEqual(upper, threshold).ExtractMostSignificantBits() << j;
        }

        if (items == 0)
            return;
        items = query.Allowed(block, items & table.ItemsOf(block));
        if (items != 0)
            Keep(catalog, query, block, items, sums, radius);
    }

    private void Keep(Int8Catalog catalog, ScanQuery query, int block, ulong items, int* sums, float radius)
    {
        var bytes = query.Codes;
        if (bytes.Count > QueryCodes.Capacity - Int8Kernel.Columns)
            MakeRoom(query);
        var from = block * Int8Kernel.Columns;
        if (BitOperations.PopCount(items) > DenseBlock)
        {
            var first = table.ItemBias.Pointer + from;
            table.Kernel.Multiply(1, table.Items.Block(block), table.Depth, query.Vector, 0, &first, null, 0, Scores);
            for (; items != 0; items &= items - 1)
            {
                var lane = BitOperations.TrailingZeroCount(items);
                if (Scores[lane] >= bytes.Threshold)
                    bytes.Add(from + lane, Scores[lane], Scores[lane]);
            }

            return;
        }

        for (; items != 0; items &= items - 1)
        {
            var lane = BitOperations.TrailingZeroCount(items);
            // Twice the slack below the upper bias is the lower one.
            double upperBias = catalog.UpperBias(block)[lane], bias = table.ItemBias.Pointer[from + lane];
            var lower = (catalog.Scale(block)[lane] * (((double)bytes.Scale * (sums[lane] - bytes.Offset)) - radius)) + (2 * bias) - upperBias;
            bytes.Add(from + lane, MathF.BitDecrement((float)lower), Uppers[lane]);
        }
    }

    /// <summary>Forgets candidates; where too many are left, scores them now. Bounds then cost more than they save, but memory stays put.</summary>
    private void MakeRoom(ScanQuery query)
    {
        query.Codes.Prune(query.Heap.Threshold);
        if (query.Codes.Count <= QueryCodes.Capacity / 2)
            return;
        list.Run(query, query.Codes.Items);
        query.Codes.Clear(query.Heap.Threshold);
    }
}
