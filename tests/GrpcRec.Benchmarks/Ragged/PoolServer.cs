using GrpcRec.Benchmarks.Suites;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Batching;

namespace GrpcRec.Benchmarks.Ragged;

/// <summary>Ours as the server runs it: the scheduler on a compute pool, an engine for each of its threads.</summary>
public sealed class PoolServer : ISequenceServer
{
    private const int SlotsPerThread = 512;

    // The other side refuses nothing either.
    private static readonly BatchSchedulerOptions Options = new() { QueueCapacity = 1_000_000, MaxQueueDelay = TimeSpan.FromMinutes(10) };

    private readonly ComputePool _pool;
    private readonly BatchScheduler _scheduler;

    public PoolServer(ModelArtifact model, int threads)
    {
        _pool = new ComputePool(new ComputePoolOptions { Threads = threads });
        IStepEngine[] engines = [.. Enumerable.Range(0, threads).Select(_ => StepEngineFactory.Create(model, new EngineOptions { SlotCapacity = SlotsPerThread, Precision = Precision.Float32 }))];
        Name = $"GrpcRec {engines[0].Name}";
        _scheduler = new BatchScheduler(_pool, engines, "bench/1", Options, TimeProvider.System);
    }

    public string Name { get; }

    public async ValueTask<float[]> AnswerAsync(int[] items)
    {
        ArgumentNullException.ThrowIfNull(items);
        var request = new BatchRequest { Items = items, Behaviors = Behaviors(items.Length), WantsSequenceScores = true };
        return await _scheduler.RunAsync(request) is { } rejection ? throw new BenchmarkException($"{Name} refused: {rejection.Message}") : request.SequenceLogits;
    }

    public async ValueTask DisposeAsync()
    {
        await _scheduler.DisposeAsync();
        await _pool.DisposeAsync();
    }

    private static int[] Behaviors(int length) => new int[length];
}
