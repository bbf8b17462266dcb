using System.Numerics;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>Scores of single items, whose embeddings are fetched one by one: for short lists, and for what bounds have left.</summary>
internal sealed unsafe class ListScan(CatalogTable table)
{
    private const int Chunk = 4;
    private readonly int[] _items = new int[64];

    /// <summary>Offers all.</summary>
    public void Run(ScanQuery query, ReadOnlySpan<int> items)
    {
        var rows = stackalloc float*[Chunk];
        var sums = stackalloc float[Chunk];
        fixed (float* embedding = table.Rows)
        {
            for (var n = 0; n < items.Length; n += Chunk)
            {
                for (var i = 0; i < Chunk; i++)
                {
                    // Past the end the last item is computed again.
                    var item = items[Math.Min(n + i, items.Length - 1)];
                    rows[i] = embedding + ((long)item * table.Depth);
                    sums[i] = table.ItemBias.Pointer[item];
                }

                table.Kernel.MultiplyFour(query.Vector, table.Depth, rows, sums);
                for (var i = 0; i < Math.Min(Chunk, items.Length - n); i++)
                    query.Heap.Offer(items[n + i], sums[i]);
            }
        }
    }

    /// <summary>The items of the query's mask.</summary>
    public void Run(ScanQuery query)
    {
        var words = query.Mask!.Words;
        var count = 0;
        for (var block = 0; block < words.Length; block++)
        {
            for (var word = words[block]; word != 0; word &= word - 1)
            {
                _items[count++] = (block * 64) + BitOperations.TrailingZeroCount(word);
                if (count < _items.Length)
                    continue;
                Run(query, _items);
                count = 0;
            }
        }

        Run(query, _items.AsSpan(0, count));
    }
}
