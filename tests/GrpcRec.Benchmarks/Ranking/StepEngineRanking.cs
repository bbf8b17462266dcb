using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Batching;

namespace GrpcRec.Benchmarks.Ranking;

/// <summary>
/// Our top-k of a whole catalogue, for users whose sequences stand in an engine's slots. Further threads are the server's compute workers:
/// they sleep, and the engine wakes them for a share of its scan.
/// </summary>
public sealed class StepEngineRanking : IDisposable
{
    private const int Events = 20;

    private readonly ComputePool? _helpers;
    private readonly IStepEngine _engine;
    private readonly RankQuery[] _queries;

    /// <param name="filter">Null: the whole catalogue.</param>
    public StepEngineRanking(ModelArtifact model, int batch, int k, int threads, RankFilter? filter = null, int seed = 11)
    {
        ArgumentNullException.ThrowIfNull(model);
        var random = new Random(seed);
        _helpers = threads > 1 ? new ComputePool(new ComputePoolOptions { Threads = threads - 1 }) : null;
        // The items' gates of a large catalogue would take gigabytes, and the encoder is not what is timed.
        _engine = StepEngineFactory.Create(model, new EngineOptions { SlotCapacity = batch, GateTableBudgetBytes = 0, SpareThreads = _helpers });
        _queries = [.. Enumerable.Range(0, batch).Select(_ =>
        {
            if (!_engine.TryRent(out var slot))
                throw new InvalidOperationException("no slot is free");
            int[] items = [.. Enumerable.Range(0, Events).Select(_ => random.Next(_engine.CatalogSize))];
            _engine.Advance([new EventRun(slot, 0, Events)], items, new int[Events]);
            return new RankQuery { Slot = slot, K = k, Filter = filter };
        })];
        Hidden = [.. _queries.Select(query =>
        {
            var hidden = new float[_engine.HiddenSize];
            _engine.ReadHidden(query.Slot, hidden);
            return hidden;
        })];
    }

    /// <summary>[B][H] the queries' hidden states, in the order of <see cref="Results"/>.</summary>
    public IReadOnlyList<float[]> Hidden { get; }

    /// <summary>[B] of the last <see cref="Rank"/>.</summary>
    public IReadOnlyList<RankedItem[]> Results => [.. _queries.Select(query => query.Result)];

    public string Name => "GrpcRec " + _engine.Name;

    public void Rank() => _engine.Rank(_queries);

    public void Dispose()
    {
        _engine.Dispose();
        _helpers?.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }
}
