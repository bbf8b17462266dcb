using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Ranking;

/// <summary>
/// Items by category. A category of more than one item in 32 is a bitmap, which is then smaller than a list; any other is a list.
/// 8 bytes an item, and at most 4 more for the bitmaps; nothing for a catalogue without categories.
/// </summary>
internal sealed class CategoryIndex
{
    private readonly int[] _categories;
    private readonly int[] _starts;
    private readonly int[] _items;
    private readonly ulong[]?[] _bitmaps;

    /// <param name="categories">Dense ids are below this; 0: items have none.</param>
    public CategoryIndex(ItemCatalog catalog, int categories)
    {
        _starts = new int[categories + 1];
        _bitmaps = new ulong[]?[categories];
        if (categories == 0)
        {
            _categories = _items = [];
            return;
        }

        _categories = new int[catalog.Count];
        for (var item = 0; item < catalog.Count; item++)
        {
            _categories[item] = catalog.Items[item].Category;
            if (_categories[item] >= 0)
                _starts[_categories[item] + 1]++;
        }

        for (var category = 0; category < categories; category++)
            _starts[category + 1] += _starts[category];
        _items = new int[_starts[^1]];
        var next = _starts[..^1];
        for (var item = 0; item < catalog.Count; item++)
        {
            if (_categories[item] >= 0)
                _items[next[_categories[item]]++] = item;
        }

        for (var category = 0; category < categories; category++)
        {
            if (Count(category) > catalog.Count / 32)
                _bitmaps[category] = Bitmap(category, catalog.Count);
        }
    }

    /// <summary>−1: none.</summary>
    public int CategoryOf(int item) => _categories.Length == 0 ? -1 : _categories[item];

    public int Count(int category) => _starts[category + 1] - _starts[category];

    /// <summary>Ascending.</summary>
    public ReadOnlySpan<int> Items(int category) => _items.AsSpan(_starts[category], Count(category));

    /// <summary>[V/64] bit i of word n is item 64n + i; null: the category is a list only.</summary>
    public ulong[]? Bitmap(int category) => _bitmaps[category];

    private ulong[] Bitmap(int category, int catalogSize)
    {
        var words = new ulong[(catalogSize + 63) / 64];
        foreach (var item in Items(category))
            words[item / 64] |= 1UL << (item % 64);
        return words;
    }
}
