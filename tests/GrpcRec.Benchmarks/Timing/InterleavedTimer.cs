using System.Diagnostics;

namespace GrpcRec.Benchmarks.Timing;

/// <summary>
/// Times contestants in turns, A, B, A, B …, so that a slow second of a shared machine falls on all of them. Only ratios of one run mean
/// something. Each turn repeats its call until it lasts about <see cref="TurnSeconds"/>, so that the clock's grain does not count.
/// </summary>
public sealed class InterleavedTimer
{
    /// <summary>Least length of a turn.</summary>
    public const double TurnSeconds = 0.06;

    // Enough calls for the second tier of compilation, which is made in the background.
    private const int WarmUpCalls = 60;
    private const double WarmUpSeconds = 0.4;

    public InterleavedTimer(int rounds)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rounds, 1);
        Rounds = rounds;
    }

    public int Rounds { get; }

    /// <summary>One series per contestant, in their order.</summary>
    public IReadOnlyList<TimingSeries> Measure(params IReadOnlyList<Contestant> contestants)
    {
        ArgumentNullException.ThrowIfNull(contestants);
        var calls = contestants.Select(CallsPerTurn).ToArray();
        var seconds = contestants.Select(_ => new List<double>(Rounds)).ToArray();
        for (var round = 0; round < Rounds; round++)
        {
            for (var i = 0; i < contestants.Count; i++)
            {
                contestants[i].Prepare?.Invoke();
                // The caches hold the other contestant's weights: one call of its own first.
                contestants[i].Call();
                seconds[i].Add(Turn(contestants[i], calls[i]));
            }
        }

        return [.. contestants.Select((contestant, i) => new TimingSeries(contestant.Name, seconds[i]))];
    }

    private static double Turn(Contestant contestant, int calls)
    {
        var start = Stopwatch.GetTimestamp();
        for (var call = 0; call < calls; call++)
            contestant.Call();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
    }

    /// <summary>Warms a contestant up and sizes its turns.</summary>
    private static int CallsPerTurn(Contestant contestant)
    {
        contestant.Prepare?.Invoke();
        var start = Stopwatch.GetTimestamp();
        for (var call = 0; call < WarmUpCalls && Stopwatch.GetElapsedTime(start).TotalSeconds < WarmUpSeconds; call++)
            contestant.Call();
        for (var calls = 1; ; calls *= 2)
        {
            var perCall = Turn(contestant, calls);
            if (perCall * calls >= TurnSeconds / 4)
                return Math.Max(1, (int)Math.Ceiling(TurnSeconds / perCall));
        }
    }
}
