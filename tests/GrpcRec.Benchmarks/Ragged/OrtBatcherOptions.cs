namespace GrpcRec.Benchmarks.Ragged;

/// <param name="Workers">Threads that each run a batch of their own.</param>
/// <param name="ThreadsPerWorker">Threads of ONNX Runtime within a batch.</param>
/// <param name="MaxWait">Longest that an incomplete batch waits for company.</param>
/// <param name="SortsByLength">A batch is the oldest request and those whose lengths waste the least beside it; false: the oldest ones.</param>
public sealed record OrtBatcherOptions(int Workers, int ThreadsPerWorker, int MaxBatch, TimeSpan MaxWait, bool SortsByLength)
{
    public override string ToString() => FormattableString.Invariant(
        $"{Workers} × {ThreadsPerWorker} threads, batch ≤ {MaxBatch}, wait ≤ {MaxWait.TotalMilliseconds} ms, {(SortsByLength ? "by length" : "as they come")}");
}
