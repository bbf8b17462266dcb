namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>The different items of one sequence so far. Cleared in constant time: an item is in when its stamp is the current one.</summary>
internal sealed class SeenItems(int catalogSize)
{
    private readonly int[] _stamps = new int[catalogSize];
    private readonly List<int> _items = [];
    private int _stamp = 1;

    public IReadOnlyList<int> Items => _items;

    public bool Contains(int item) => _stamps[item] == _stamp;

    public void Add(int item)
    {
        if (_stamps[item] == _stamp)
            return;
        _stamps[item] = _stamp;
        _items.Add(item);
    }

    public void Clear()
    {
        _stamp++;
        _items.Clear();
    }
}
