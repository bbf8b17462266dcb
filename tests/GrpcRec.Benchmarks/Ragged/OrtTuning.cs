using GrpcRec.Benchmarks.Suites;
using GrpcRec.Engine.Models;

namespace GrpcRec.Benchmarks.Ragged;

/// <summary>Tries the batcher's settings, because what is compared with is ONNX Runtime at its best.</summary>
internal sealed class OrtTuning(BenchmarkContext context, ModelArtifact model, RaggedTrace trace) : IDisposable
{
    private static readonly int[] Batches = [16, 32, 64, 128];
    private static readonly double[] WaitMilliseconds = [0, 1, 3];

    private readonly Dictionary<OrtBatcherOptions, OrtBatcher> _servers = [];
    private readonly Dictionary<OrtBatcherOptions, double> _rates = [];

    public OrtBatcher Server(OrtBatcherOptions options)
    {
        if (!_servers.TryGetValue(options, out var server))
            _servers.Add(options, server = new OrtBatcher(model, options));
        return server;
    }

    public double Rate(OrtBatcherOptions options, int callers, TimeSpan turn) =>
        LoadDriver.SaturateAsync(Server(options), trace.Sequences, callers, turn).GetAwaiter().GetResult();

    /// <summary>The settings that answer the most sequences per second. A full queue never waits for company, so that is not varied.</summary>
    /// <param name="sorts">Null: whichever is better.</param>
    public OrtBatcherOptions Fastest(int callers, TimeSpan turn, bool? sorts = null)
    {
        if (_rates.Count == 0)
        {
            foreach (var options in Grid([0]))
            {
                _rates[options] = Rate(options, callers, turn);
                context.Say(FormattableString.Invariant($"  {options}: {_rates[options]:F0} sequences/s"));
            }
        }

        return _rates.Where(rate => sorts is null || rate.Key.SortsByLength == sorts).MaxBy(rate => rate.Value).Key;
    }

    /// <summary>The settings with the lowest 99th percentile at a load, of those that can take it. After <see cref="Fastest"/>.</summary>
    public OrtBatcherOptions MostPunctual(double perSecond, TimeSpan turn) => Best(
        Grid(WaitMilliseconds).Where(options => _rates[options with { MaxWait = TimeSpan.Zero }] > perSecond),
        options => LoadDriver.OfferAsync(Server(options), trace.Sequences, perSecond, turn).GetAwaiter().GetResult().P99,
        p99 => FormattableString.Invariant($"p99 {p99 * 1e3:F2} ms"));

    /// <summary>The settings with the largest load, as <paramref name="find"/> finds it.</summary>
    public OrtBatcherOptions MostSustained(Func<OrtBatcher, double> find) => Best(
        Grid([0]).Where(options => options is { SortsByLength: true, MaxBatch: 16 or 32 or 64 }), options => -find(Server(options)), load => FormattableString.Invariant($"{-load:F0} sequences/s"));

    public void Dispose()
    {
        foreach (var server in _servers.Values)
            server.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private IEnumerable<OrtBatcherOptions> Grid(double[] waits) =>
        from workers in context.Threads == 1 ? [1] : (int[])[context.Threads, 1]
        from batch in Batches
        from wait in waits
        from sorted in (bool[])[true, false]
        select new OrtBatcherOptions(workers, context.Threads / workers, batch, TimeSpan.FromMilliseconds(wait), sorted);

    private OrtBatcherOptions Best(IEnumerable<OrtBatcherOptions> grid, Func<OrtBatcherOptions, double> cost, Func<double, string> describe)
    {
        OrtBatcherOptions? best = null;
        var least = double.MaxValue;
        foreach (var options in grid)
        {
            var found = cost(options);
            context.Say($"  {options}: {describe(found)}");
            if (best is null || found < least)
                (best, least) = (options, found);
        }

        return best!;
    }
}
