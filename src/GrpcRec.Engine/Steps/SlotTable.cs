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

    /// <summary>All of the runs are checked before any of them is run.</summary>
    public void Check(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors, int catalogSize, int behaviorCount)
    {
        if (items.Length != behaviors.Length)
            throw new ArgumentException($"{items.Length} items and {behaviors.Length} behaviours: they must be as many", nameof(behaviors));
        _batch++;
        foreach (var run in runs)
        {
            Check(run.Slot);
            if (_lastBatch[run.Slot.Index] == _batch)
                throw new ArgumentException($"slot {run.Slot.Index} stands twice in one batch", nameof(runs));
            _lastBatch[run.Slot.Index] = _batch;
            if (run.Start < 0 || run.Count < 0 || run.Start > items.Length - run.Count)
                throw new ArgumentException($"a run from {run.Start} of {run.Count} events is not within the {items.Length} given", nameof(runs));
            for (var i = run.Start; i < run.Start + run.Count; i++)
                CheckEvent(items[i], behaviors[i], catalogSize, behaviorCount);
        }
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
            CheckEvent(e.Item, e.Behavior, catalogSize, behaviors);
        }
    }

    private static void CheckEvent(int item, int behavior, int catalogSize, int behaviors)
    {
        if ((uint)item >= (uint)catalogSize)
            throw new ArgumentOutOfRangeException(nameof(item), $"item {item} is not from 0 to {catalogSize - 1}");
        if ((uint)behavior >= (uint)behaviors)
            throw new ArgumentOutOfRangeException(nameof(behavior), $"behaviour {behavior} is not from 0 to {behaviors - 1}");
    }
}
