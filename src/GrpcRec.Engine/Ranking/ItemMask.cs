using System.Numerics;
using System.Runtime.Intrinsics;

namespace GrpcRec.Engine.Ranking;

/// <summary>What a query's filter and exclusions leave: a bit an item, a word a block of 64. Used again by other queries.</summary>
internal sealed class ItemMask(int catalogSize)
{
    private const int ChunkWords = 64;

    private readonly ulong[] _words = new ulong[(catalogSize + 63) / 64];

    /// <summary>Items left.</summary>
    public int Count { get; private set; }

    /// <summary>Blocks that have any.</summary>
    public int Blocks { get; private set; }

    /// <summary>[V/64] bit i of word n is item 64n + i.</summary>
    public ReadOnlySpan<ulong> Words => _words;

    /// <param name="excluded">Ascending and different.</param>
    public void Compile(RankFilter filter, int[] excluded, CategoryIndex categories)
    {
        if (filter.AllowedCategories is { } allowed)
        {
            Array.Clear(_words);
            foreach (var category in allowed)
                Add(category, categories);
            if (filter.AllowedItems is { } items)
                Keep(items);
        }
        else if (filter.AllowedItems is { } items)
        {
            Set(items);
        }
        else
        {
            Array.Fill(_words, ulong.MaxValue);
            if (catalogSize % 64 > 0)
                _words[^1] = (1UL << (catalogSize % 64)) - 1;
        }

        foreach (var category in filter.BlockedCategories)
            Remove(category, categories);
        Remove(filter.BlockedItems);
        Remove(excluded);
        (Count, Blocks) = (0, 0);
        foreach (var word in _words)
        {
            Count += BitOperations.PopCount(word);
            Blocks += word == 0 ? 0 : 1;
        }
    }

    private void Add(int category, CategoryIndex categories)
    {
        if (categories.Bitmap(category) is { } bitmap)
        {
            for (var n = 0; n < _words.Length; n++)
                _words[n] |= bitmap[n];
            return;
        }

        foreach (var item in categories.Items(category))
            _words[item / 64] |= 1UL << (item % 64);
    }

    private void Remove(int category, CategoryIndex categories)
    {
        if (categories.Bitmap(category) is { } bitmap)
        {
            for (var n = 0; n < _words.Length; n++)
                _words[n] &= ~bitmap[n];
            return;
        }

        Remove(categories.Items(category));
    }

    private void Remove(ReadOnlySpan<int> items)
    {
        foreach (var item in items)
            _words[item / 64] &= ~(1UL << (item % 64));
    }

    /// <summary>Sets exactly what the list has.</summary>
    private void Set(int[] items)
    {
        // A byte an item first, for as many items as stay in the first-level cache, then a vector of bytes is a word of bits: the stores wait
        // for nothing and no branch is guessed, which is what building words bit by bit spent its time on.
        Span<byte> isIn = stackalloc byte[ChunkWords * 64];
        isIn.Clear();
        for (int n = 0, next = 0; n < _words.Length; n += ChunkWords)
        {
            var words = _words.AsSpan(n, Math.Min(ChunkWords, _words.Length - n));
            int start = n * 64, first = next;
            for (; next < items.Length && items[next] - start < isIn.Length; next++)
                isIn[items[next] - start] = byte.MaxValue;
            if (next == first)
            {
                words.Clear();
                continue;
            }

            for (var w = 0; w < words.Length; w++)
                words[w] = Vector512.Create<byte>(isIn.Slice(64 * w, 64)).ExtractMostSignificantBits();
            isIn.Clear();
        }
    }

    /// <summary>Clears what the list has not got.</summary>
    private void Keep(int[] items)
    {
        var next = 0;
        for (var n = 0; n < _words.Length; n++)
        {
            var word = 0UL;
            for (; next < items.Length && items[next] / 64 == n; next++)
                word |= 1UL << (items[next] % 64);
            _words[n] &= word;
        }
    }
}
