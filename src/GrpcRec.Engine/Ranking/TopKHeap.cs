namespace GrpcRec.Engine.Ranking;

/// <summary>
/// The best k of what is offered, in whatever order. The worst kept stands at the root of a heap in the result's own array. Of two equal
/// scores the lower id is better.
/// </summary>
internal sealed class TopKHeap
{
    private RankedItem[] _items = [];
    private int _capacity, _count;

    /// <summary>A score below this is not kept; one equal to it may be.</summary>
    public float Threshold { get; private set; }

    /// <summary>Kept so far, in no order.</summary>
    public ReadOnlySpan<RankedItem> Items => _items.AsSpan(0, _count);

    /// <param name="target">[≥ k] filled by <see cref="Offer"/> and put in order by <see cref="Finish"/>.</param>
    public void Begin(RankedItem[] target, int k)
    {
        (_items, _capacity, _count) = (target, k, 0);
        Threshold = k == 0 ? float.PositiveInfinity : float.NegativeInfinity;
    }

    /// <summary>Forgets what was offered and known.</summary>
    public void Clear() => Begin(_items, _capacity);

    /// <summary>Keeps nothing below a score that some k items are known to reach, wherever those were offered.</summary>
    public void Raise(float threshold) => Threshold = MathF.Max(Threshold, threshold);

    /// <summary>Scores that are no number are not kept.</summary>
    public void Offer(int item, float score)
    {
        if (!(score >= Threshold))
            return;
        var offered = new RankedItem(item, score);
        if (_count < _capacity)
        {
            _items[_count] = offered;
            Rise(_count++);
        }
        else if (_count > 0 && IsWorse(_items[0], offered))
        {
            _items[0] = offered;
            Sink(_count);
        }

        if (_count > 0 && _count == _capacity)
            Raise(_items[0].Score);
    }

    /// <summary>Best first: the root, which is the worst, goes to the end again and again.</summary>
    /// <returns>The target; a shorter copy where fewer than k scores were numbers.</returns>
    public RankedItem[] Finish()
    {
        var target = _items;
        var count = Order();
        return count == target.Length ? target : target[..count];
    }

    /// <summary>The same where they are: the target's first are put in order, and nothing is copied.</summary>
    /// <returns>How many there are.</returns>
    public int Order()
    {
        for (var last = _count - 1; last > 0; last--)
        {
            (_items[0], _items[last]) = (_items[last], _items[0]);
            Sink(last);
        }

        _items = [];
        return _count;
    }

    private static bool IsWorse(RankedItem a, RankedItem b) => a.Score < b.Score || (a.Score == b.Score && a.Item > b.Item);

    private void Rise(int child)
    {
        while (child > 0)
        {
            var parent = (child - 1) / 2;
            if (!IsWorse(_items[child], _items[parent]))
                return;
            (_items[child], _items[parent]) = (_items[parent], _items[child]);
            child = parent;
        }
    }

    private void Sink(int count)
    {
        var parent = 0;
        while (true)
        {
            var child = (2 * parent) + 1;
            if (child >= count)
                return;
            if (child + 1 < count && IsWorse(_items[child + 1], _items[child]))
                child++;
            if (!IsWorse(_items[child], _items[parent]))
                return;
            (_items[child], _items[parent]) = (_items[parent], _items[child]);
            parent = child;
        }
    }
}
