namespace GrpcRec.Serving.Tests.Batching;

/// <summary>Counts what an operator would find in the log.</summary>
public sealed class FaultCounter : ServingObserver
{
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public override void EngineFault(string model, Exception exception) => Interlocked.Increment(ref _count);
}
