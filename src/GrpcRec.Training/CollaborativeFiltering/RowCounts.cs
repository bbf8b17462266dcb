namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>What was counted beside one item, in a table of the whole catalogue that is used again for the next. Memory: 8 bytes an item.</summary>
internal sealed class RowCounts
{
    private readonly int[] _counts, _latest;
    private readonly List<int> _items = [];

    public RowCounts(int catalog)
    {
        _counts = new int[catalog];
        _latest = new int[catalog];
        Array.Fill(_latest, -1);
    }

    /// <summary>Those with a count, in the order in which they were first counted.</summary>
    public IReadOnlyList<int> Items => _items;

    public int Of(int item) => _counts[item];

    public void Add(int item)
    {
        if (_counts[item]++ == 0)
            _items.Add(item);
    }

    /// <summary>The same, at most once for each sequence; sequences come one after the other.</summary>
    public void AddOnce(int item, int sequence)
    {
        if (_latest[item] == sequence)
            return;
        _latest[item] = sequence;
        Add(item);
    }

    public void Clear()
    {
        foreach (var item in _items)
            (_counts[item], _latest[item]) = (0, -1);
        _items.Clear();
    }
}
