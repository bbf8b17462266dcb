using System.Numerics;
using System.Runtime.Intrinsics.X86;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>Scores of single items, whose embeddings are fetched one by one: for short lists, and for what bounds have left.</summary>
internal sealed unsafe class ListScan(CatalogTable table)
{
    private const int Chunk = 8, CacheLine = 64;
    private readonly int[] _items = new int[64];

    /// <summary>Offers all.</summary>
    public void Run(ScanQuery query, ReadOnlySpan<int> items)
    {
        var rows = stackalloc float*[Chunk];
        var sums = stackalloc float[Chunk];
        fixed (float* embedding = table.Rows)
        {
            Fetch(embedding, items[..Math.Min(Chunk, items.Length)]);
            for (var n = 0; n < items.Length; n += Chunk)
            {
                // 1. Ask for the next rows: each is a place of its own in memory, and what is computed meanwhile hides the way to it.
                var next = Math.Min(n + Chunk, items.Length);
                Fetch(embedding, items[next..Math.Min(next + Chunk, items.Length)]);

                // 2. Score these; past the end the last item is computed again.
                for (var i = 0; i < Chunk; i++)
                {
                    var item = items[Math.Min(n + i, items.Length - 1)];
                    rows[i] = embedding + ((long)item * table.Depth);
                    sums[i] = table.ItemBias.Pointer[item];
                }

                table.Kernel.MultiplyEight(query.Vector, table.Depth, rows, sums);
                for (var i = 0; i < Math.Min(Chunk, items.Length - n); i++)
                    query.Heap.Offer(items[n + i], sums[i]);
            }
        }
    }

    private void Fetch(float* embedding, ReadOnlySpan<int> items)
    {
        if (!Sse.IsSupported)
            return;
        foreach (var item in items)
        {
            var row = (byte*)(embedding + ((long)item * table.Depth));
            Sse.Prefetch0(table.ItemBias.Pointer + item);
            for (var at = 0; at < table.Depth * sizeof(float); at += CacheLine)
                Sse.Prefetch0(row + at);
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
