namespace GrpcRec.Training.Evaluation;

/// <summary>
/// Resamples of a test set: users (or sessions) drawn with replacement, as many as there are, because a user's rows are not independent
/// (Efron and Tibshirani, 1993). A metric is measured anew on each from how often every user was drawn.
/// </summary>
public static class Bootstrap
{
    public const int DefaultResamples = 1000;

    /// <summary>Rows times resamples: some ten seconds of one core. A larger test set gets fewer resamples, never fewer than <see cref="LeastResamples"/>.</summary>
    private const long MaxRowVisits = 2_000_000_000;

    private const int LeastResamples = 100;

    internal delegate void Measurement(ReadOnlySpan<int> weights, Span<double> values);

    internal static int ResamplesFor(long rows, int wanted) =>
        (int)Math.Min(wanted, Math.Max(LeastResamples, MaxRowVisits / Math.Max(1, rows)));

    /// <param name="groups">That have rows, ascending and different.</param>
    /// <param name="width">Metrics.</param>
    /// <param name="seed">The same draws for the same groups: two models on one test set are resampled alike.</param>
    /// <returns>[width][resamples]</returns>
    internal static double[][] Draw(int[] groups, int resamples, long seed, int width, Measurement measure, CancellationToken cancellation)
    {
        var drawn = new double[width][];
        for (var m = 0; m < width; m++)
            drawn[m] = new double[resamples];
        if (groups.Length == 0)
            return drawn;
        Parallel.For(
            0, resamples,
            new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount },
            () => (Weights: new int[groups[^1] + 1], Values: new double[width]),
            (resample, _, scratch) =>
            {
                Array.Clear(scratch.Weights);
                var state = Mix((ulong)seed + ((ulong)resample * 0xD1B54A32D192ED03UL));
                for (var i = 0; i < groups.Length; i++)
                    scratch.Weights[groups[(int)BigMul(Mix(state += 0x9E3779B97F4A7C15UL), (ulong)groups.Length)]]++;
                measure(scratch.Weights, scratch.Values);
                for (var m = 0; m < width; m++)
                    drawn[m][resample] = scratch.Values[m];
                return scratch;
            },
            _ => { });
        return drawn;
    }

    private static ulong BigMul(ulong random, ulong below) => Math.BigMul(random, below, out _);

    /// <summary>SplitMix64's finaliser (Steele, Lea and Flood, 2014).</summary>
    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
