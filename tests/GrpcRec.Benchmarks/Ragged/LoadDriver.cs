using System.Diagnostics;
using System.Runtime.InteropServices;

namespace GrpcRec.Benchmarks.Ragged;

/// <summary>Callers of a server, the same ones for every contestant.</summary>
public static class LoadDriver
{
    /// <summary>Each caller asks again as soon as it is answered.</summary>
    /// <returns>Answers per second.</returns>
    public static async Task<double> SaturateAsync(ISequenceServer server, IReadOnlyList<int[]> sequences, int callers, TimeSpan duration)
    {
        ArgumentNullException.ThrowIfNull(server);
        ArgumentNullException.ThrowIfNull(sequences);
        var (next, answered) = (0, 0);
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(start) < duration)
            {
                await server.AnswerAsync(sequences[Interlocked.Increment(ref next) % sequences.Count]);
                if (Stopwatch.GetElapsedTime(start) < duration)
                    Interlocked.Increment(ref answered);
            }
        })));
        return answered / duration.TotalSeconds;
    }

    /// <summary>
    /// Requests arrive at random moments (a Poisson process), whether or not the ones before are answered. An answer's time counts from the
    /// moment that its request was due, so that a late start of ours does not flatter anyone.
    /// </summary>
    public static async Task<Latencies> OfferAsync(ISequenceServer server, IReadOnlyList<int[]> sequences, double perSecond, TimeSpan duration, int seed = 11)
    {
        ArgumentNullException.ThrowIfNull(server);
        ArgumentNullException.ThrowIfNull(sequences);
        var random = new Random(seed);
        var due = new List<long>();
        for (var at = 0.0; at < duration.TotalSeconds; at += -Math.Log(1 - random.NextDouble()) / perSecond)
            due.Add((long)(at * Stopwatch.Frequency));
        var seconds = new double[due.Count];
        var left = due.Count;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            var start = Stopwatch.GetTimestamp();
            for (var i = 0; i < due.Count; i++)
            {
                PauseUntil(start + due[i]);
                _ = AskAsync(i, start + due[i]);
            }
        })
        { IsBackground = true, Name = "callers" };
        thread.Start();
        await done.Task;
        thread.Join();
        return new Latencies(seconds);

        async Task AskAsync(int i, long dueAt)
        {
            try
            {
                await server.AnswerAsync(sequences[i % sequences.Count]);
                seconds[i] = Stopwatch.GetElapsedTime(dueAt).TotalSeconds;
                if (Interlocked.Decrement(ref left) == 0)
                    done.TrySetResult();
            }
#pragma warning disable CA1031 // Whatever it was, whoever waits for the end throws it on.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                done.TrySetException(failure);
            }
        }
    }

    /// <summary>The system's own pause: precise to some 60 µs where .NET's are to a millisecond, and it leaves the core to those who compute.</summary>
    private static void PauseUntil(long timestamp)
    {
        while (Stopwatch.GetTimestamp() is var now && now < timestamp)
        {
            var microseconds = (timestamp - now) * 1_000_000 / Stopwatch.Frequency;
            if (microseconds > 0)
                _ = Pause((uint)Math.Min(microseconds, 999_999));
        }
    }

    [DllImport("libc", EntryPoint = "usleep")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Pause(uint microseconds);
}
