using System.Numerics;

namespace GrpcRec.Engine.Ranking;

/// <summary>What a query's filter and exclusions leave: a bit an item, a word a block of 64. Used again by other queries.</summary>
internal sealed class ItemMask(int catalogSize)
{
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
        // A word is built in a register and written after each of its items: to add to it in memory would wait for the last write each
        // time, and to branch where a word ends would guess wrong.
        Array.Clear(_words);
        var words = _words;
        int at = -1;
        var word = 0UL;
        foreach (var item in items)
        {
            var next = item >> 6;
            word = (next == at ? word : 0) | (1UL << item);
            words[next] = word;
            at = next;
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
