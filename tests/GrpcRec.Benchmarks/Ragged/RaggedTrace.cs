namespace GrpcRec.Benchmarks.Ragged;

/// <summary>
/// Sequences of log-normal lengths, as histories of users are: most are short, a few are very long. The spread is that of half of them
/// below 18 when the mean is 30.
/// </summary>
public sealed class RaggedTrace
{
    public const int MeanLength = 30;
    public const int MaxLength = 200;
    private const double Sigma = 1;

    private RaggedTrace(int[][] sequences) => Sequences = sequences;

    /// <summary>Dense item ids, oldest first.</summary>
    public IReadOnlyList<int[]> Sequences { get; }

    public double Mean => Sequences.Average(sequence => sequence.Length);

    public static RaggedTrace Create(int count, int catalog, int seed = 7)
    {
        var random = new Random(seed);
        double[] normals = [.. Enumerable.Range(0, count).Select(_ => Normal(random))];
        // Cutting off at the maximum lowers the mean, so the location is the one that gives the mean after it.
        double low = 0, high = Math.Log(MaxLength);
        for (var i = 0; i < 60; i++)
        {
            var middle = (low + high) / 2;
            if (normals.Average(normal => Length(normal, middle)) < MeanLength)
                low = middle;
            else
                high = middle;
        }

        return new RaggedTrace([.. normals.Select(normal => Enumerable.Range(0, Length(normal, high)).Select(_ => random.Next(catalog)).ToArray())]);
    }

    private static int Length(double normal, double location) => Math.Clamp((int)Math.Round(Math.Exp(location + (Sigma * normal))), 1, MaxLength);

    /// <summary>Box and Muller's.</summary>
    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
