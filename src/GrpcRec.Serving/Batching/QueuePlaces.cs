namespace GrpcRec.Serving.Batching;

/// <summary>Counts the requests of one version that wait for a slot, over all of its lanes.</summary>
internal sealed class QueuePlaces(int capacity)
{
    private int _taken;

    public int Capacity { get; } = capacity;

    public bool TryTake()
    {
        if (Interlocked.Increment(ref _taken) <= Capacity)
            return true;
        Interlocked.Decrement(ref _taken);
        return false;
    }

    public void Return() => Interlocked.Decrement(ref _taken);
}
