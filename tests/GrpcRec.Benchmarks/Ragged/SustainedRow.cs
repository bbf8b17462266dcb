using GrpcRec.Benchmarks.Encoding;
using GrpcRec.Benchmarks.Suites;
using GrpcRec.Benchmarks.Timing;

namespace GrpcRec.Benchmarks.Ragged;

/// <summary>
/// The load that a server takes while its 99th percentile stays under a bound: what a capacity is worth to a caller who waits. A batcher that
/// sorts needs a queue to sort, and a queue is time.
/// </summary>
internal sealed class SustainedRow(BenchmarkContext context, RaggedTrace trace, PoolServer ours, OrtTuning tuning)
{
    public const double BoundMilliseconds = 10;

    private const int Rounds = 3;
    private const int Halvings = 6;
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(0.6);

    /// <param name="most">Sequences per second that neither side reaches.</param>
    public BenchmarkRow Run(string name, double goal, double most)
    {
        // 1. Which of the batcher's settings takes the most.
        var best = tuning.MostSustained(server => Find(server, most));

        // 2. Both, in turns.
        var (mine, other) = (new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            mine.Add(1 / Find(ours, most));
            other.Add(1 / Find(tuning.Server(best), most));
        }

        var series = (Ours: new TimingSeries("ours", mine), Theirs: new TimingSeries("theirs", other));
        return BenchmarkRow.SpeedUp(name, goal, $"{OrtSettings.Name}, {best}", series.Ours, series.Theirs, unit: "µs/sequence", note: FormattableString.Invariant(
            $"largest load with a 99th percentile of at most {BoundMilliseconds} ms, {context.Threads} threads each: {1 / series.Ours.Median:F0} sequences/s for {1 / series.Theirs.Median:F0}"));
    }

    /// <summary>By halving the ratio of what holds and what does not; at least a hundredth of <paramref name="most"/>.</summary>
    private double Find(ISequenceServer server, double most)
    {
        double holds = most / 100, fails = most;
        for (var i = 0; i < Halvings; i++)
        {
            var load = Math.Sqrt(holds * fails);
            if (LoadDriver.OfferAsync(server, trace.Sequences, load, Turn, i).GetAwaiter().GetResult().P99 * 1e3 <= BoundMilliseconds)
                holds = load;
            else
                fails = load;
        }

        return holds;
    }
}
