namespace GrpcRec.Engine.Steps;

/// <summary>Which slots are taken. Misuse throws in every build: a slot used after its return would read another sequence's state.</summary>
internal sealed class SlotTable
{
    private readonly int[] _free;
    private readonly bool[] _taken;

    // Batch in which a slot was last seen, to find one that stands twice in a batch without clearing anything.
    private readonly long[] _lastBatch;
    private long _batch;

    public SlotTable(int capacity)
    {
        _free = new int[capacity];
        _taken = new bool[capacity];
        _lastBatch = new long[capacity];
        // The lowest index on top, so that a lightly loaded engine touches little memory.
        for (var i = 0; i < capacity; i++)
            _free[i] = capacity - 1 - i;
        Free = capacity;
    }

    public int Capacity => _free.Length;

    public int Free { get; private set; }

    public bool TryRent(out Slot slot)
    {
        if (Free == 0)
        {
            slot = default;
            return false;
        }

        slot = new Slot(_free[--Free]);
        _taken[slot.Index] = true;
        return true;
    }

    public void Return(Slot slot)
    {
        Check(slot);
        _taken[slot.Index] = false;
        _free[Free++] = slot.Index;
    }

    /// <exception cref="InvalidOperationException">The slot is not rented.</exception>
    public void Check(Slot slot)
    {
        if ((uint)slot.Index >= (uint)_taken.Length || !_taken[slot.Index])
            throw new InvalidOperationException($"slot {slot.Index} is not rented from this engine");
    }

    /// <summary>All of a batch is checked before any of it is run.</summary>
    public void Check(ReadOnlySpan<StepEvent> events, int catalogSize, int behaviors)
    {
        _batch++;
        foreach (var e in events)
        {
            Check(e.Slot);
            if (_lastBatch[e.Slot.Index] == _batch)
                throw new ArgumentException($"slot {e.Slot.Index} stands twice in one batch", nameof(events));
            _lastBatch[e.Slot.Index] = _batch;
            if ((uint)e.Item >= (uint)catalogSize)
                throw new ArgumentOutOfRangeException(nameof(events), $"item {e.Item} is not from 0 to {catalogSize - 1}");
            if ((uint)e.Behavior >= (uint)behaviors)
                throw new ArgumentOutOfRangeException(nameof(events), $"behaviour {e.Behavior} is not from 0 to {behaviors - 1}");
        }
    }
}
