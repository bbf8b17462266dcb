namespace GrpcRec.Engine.Models;

/// <summary>The different items of one sequence, each with its term (<see cref="RepeatTerms"/>). Made once and filled for one sequence after another.</summary>
public sealed class RepeatedItems(int catalogSize)
{
    // By item: 1 + its term; 0: not of the sequence.
    private readonly byte[] _terms = new byte[catalogSize];
    private readonly List<int> _items = [];

    /// <summary>Dense ids, the last read first.</summary>
    public IReadOnlyList<int> Items => _items;

    /// <summary>Which term is the item's, 0…D-1; -1: the sequence does not have it.</summary>
    public int TermOf(int item) => _terms[item] - 1;

    /// <summary>Newest events first: an item's later event counts.</summary>
    public void Add(int item, int eventsSince)
    {
        if (_terms[item] != 0)
            return;
        _terms[item] = (byte)(1 + RepeatTerms.Of(eventsSince));
        _items.Add(item);
    }

    /// <param name="items">Oldest first, as they were read.</param>
    public void Fill(ReadOnlySpan<int> items)
    {
        Clear();
        for (var n = items.Length - 1; n >= 0; n--)
            Add(items[n], items.Length - 1 - n);
    }

    public void Clear()
    {
        foreach (var item in _items)
            _terms[item] = 0;
        _items.Clear();
    }
}
