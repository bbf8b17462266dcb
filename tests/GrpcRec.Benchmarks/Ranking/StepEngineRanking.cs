using GrpcRec.Benchmarks.Timing;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Benchmarks.Ranking;

/// <summary>
/// Our top-k of a whole catalogue, for users whose sequences stand in the engine's slots. With two threads each has an engine of its own
/// (they share the tables) and half of the queries; a single query has one thread.
/// </summary>
public sealed class StepEngineRanking : IDisposable
{
    private const int Events = 20;

    private readonly IStepEngine[] _engines;
    private readonly RankQuery[][] _queries;
    private readonly PairedWork? _pair;

    /// <param name="filter">Null: the whole catalogue.</param>
    public StepEngineRanking(ModelArtifact model, int batch, int k, int threads, RankFilter? filter = null, int seed = 11)
    {
        ArgumentNullException.ThrowIfNull(model);
        var random = new Random(seed);
        // The items' gates of a large catalogue would take gigabytes, and the encoder is not what is timed.
        var options = new EngineOptions { SlotCapacity = batch, GateTableBudgetBytes = 0 };
        var used = Math.Min(threads, batch);
        _engines = [.. Enumerable.Range(0, used).Select(_ => StepEngineFactory.Create(model, options))];
        _queries = [.. _engines.Select((engine, n) => Enumerable.Range(0, (batch / used) + (n < batch % used ? 1 : 0)).Select(_ =>
        {
            if (!engine.TryRent(out var slot))
                throw new InvalidOperationException("no slot is free");
            int[] items = [.. Enumerable.Range(0, Events).Select(_ => random.Next(engine.CatalogSize))];
            engine.Advance([new EventRun(slot, 0, Events)], items, new int[Events]);
            return new RankQuery { Slot = slot, K = k, Filter = filter };
        }).ToArray())];
        _pair = used > 1 ? new PairedWork() : null;
        Hidden = [.. _queries.SelectMany((queries, n) => queries.Select(query =>
        {
            var hidden = new float[_engines[n].HiddenSize];
            _engines[n].ReadHidden(query.Slot, hidden);
            return hidden;
        }))];
    }

    /// <summary>[B][H] the queries' hidden states, in the order of <see cref="Results"/>.</summary>
    public IReadOnlyList<float[]> Hidden { get; }

    /// <summary>[B] of the last <see cref="Rank"/>.</summary>
    public IReadOnlyList<RankedItem[]> Results => [.. _queries.SelectMany(queries => queries.Select(query => query.Result))];

    public string Name => "GrpcRec " + _engines[0].Name;

    public void Rank()
    {
        if (_pair is null)
            _engines[0].Rank(_queries[0]);
        else
            _pair.Run(() => _engines[0].Rank(_queries[0]), () => _engines[1].Rank(_queries[1]));
    }

    public void Dispose()
    {
        _pair?.Dispose();
        foreach (var engine in _engines)
            engine.Dispose();
    }
}
