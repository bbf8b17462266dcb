using GrpcRec.Benchmarks.Suites;
using GrpcRec.Benchmarks.Timing;
using GrpcRec.Engine.Models;

namespace GrpcRec.Benchmarks.Ragged;

/// <summary>
/// What a short request notices of long ones: its 99th percentile while histories of 2,000 events are read all the time, over that of the
/// same requests by themselves.
/// </summary>
internal sealed class FairnessRow(BenchmarkContext context, ModelArtifact model)
{
    private const int ShortLength = 5;
    private const int LongLength = 2_000;
    private const int LongCallers = 4;
    private const double ShortPerSecond = 2_000;
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(1.5);

    public BenchmarkRow Run(string name, double goal)
    {
        var random = new Random(13);
        var shorts = Sequences(random, ShortLength, 1_000);
        var longs = Sequences(random, LongLength, 16);
        var (alone, beside, longRate) = (new List<double>(), new List<double>(), new List<double>());
        Latencies? last = null, lastBeside = null;
        var server = new PoolServer(model, context.Threads);
        try
        {
            // A round to warm up.
            for (var round = -1; round < context.Timer.Rounds; round++)
            {
                last = LoadDriver.OfferAsync(server, shorts, ShortPerSecond, Turn, round + 1).GetAwaiter().GetResult();
                var load = LoadDriver.SaturateAsync(server, longs, LongCallers, Turn);
                lastBeside = LoadDriver.OfferAsync(server, shorts, ShortPerSecond, Turn, round + 1).GetAwaiter().GetResult();
                var rate = load.GetAwaiter().GetResult();
                if (round < 0)
                    continue;
                alone.Add(last.P99);
                beside.Add(lastBeside.P99);
                longRate.Add(rate);
            }
        }
        finally
        {
            server.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }

        var (ours, theirs) = (new TimingSeries("beside", beside), new TimingSeries("alone", alone));
        return new BenchmarkRow
        {
            Name = name,
            Ratio = ours.Median / theirs.Median,
            Goal = goal,
            Direction = RatioGoal.AtMost,
            Against = "the same requests alone",
            Ours = ours.Median * 1e3,
            Theirs = theirs.Median * 1e3,
            Unit = "ms",
            Repeats = ours.Rounds,
            Spread = Math.Max(ours.Spread, theirs.Spread),
            Note = FormattableString.Invariant(
                $"99th percentile of {ShortPerSecond:F0} requests/s of {ShortLength} events beside {LongCallers} callers of {LongLength} ({longRate.Average():F0} histories/s); last round: alone {last}, beside {lastBeside}"),
        };
    }

    private static int[][] Sequences(Random random, int length, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, length).Select(_ => random.Next(RaggedModel.Size.Items)).ToArray())];
}
