namespace GrpcRec.Engine.Counts;

/// <summary>
/// What the neighbours of one sequence's last items sum up to. An engine has one, and uses it again for each sequence: 4 bytes and a bit an
/// item of the catalogue, and 4 for each that can be touched at once.
/// </summary>
internal sealed class NeighbourSums(CountsModel model)
{
    // [V]; zero where no neighbour is.
    private readonly float[] _sums = new float[model.Places.Length];
    private readonly ulong[] _touched = new ulong[(model.Places.Length + 63) / 64];
    private readonly int[] _items = new int[Math.Min(model.Places.Length, (long)model.Reach * model.LongestRow)];
    private int _count;

    /// <summary>Neighbours, each once, in no order.</summary>
    public ReadOnlySpan<int> Items => _items.AsSpan(0, _count);

    public bool Has(int item) => (_touched[item / 64] & (1UL << (item % 64))) != 0;

    /// <summary>What the item scores for next_item.</summary>
    public float Score(int item) => Has(item) ? _sums[item] : model.LogShares[item];

    /// <param name="last">The last items, the last first, at most Reach; a sum is added up in this order whatever else is asked.</param>
    public void Load(ReadOnlySpan<int> last)
    {
        Clear();
        for (var age = 0; age < last.Length; age++)
        {
            var neighbours = model.Neighbours(last[age]);
            var weights = model.Weights(last[age]);
            var decay = model.Decay(age);
            for (var n = 0; n < neighbours.Length; n++)
            {
                var item = neighbours[n];
                ref var word = ref _touched[item / 64];
                var bit = 1UL << (item % 64);
                if ((word & bit) == 0)
                {
                    word |= bit;
                    _items[_count++] = item;
                }

                _sums[item] += decay * weights[n];
            }
        }
    }

    private void Clear()
    {
        foreach (var item in Items)
        {
            _sums[item] = 0;
            _touched[item / 64] = 0; // every item of the word goes
        }

        _count = 0;
    }
}
