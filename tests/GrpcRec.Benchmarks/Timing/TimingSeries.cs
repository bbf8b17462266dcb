namespace GrpcRec.Benchmarks.Timing;

/// <summary>Seconds per call of one contestant, one number a round, in the rounds' order.</summary>
public sealed class TimingSeries
{
    private readonly double[] _sorted;

    public TimingSeries(string name, IReadOnlyList<double> secondsPerCall)
    {
        ArgumentNullException.ThrowIfNull(secondsPerCall);
        ArgumentOutOfRangeException.ThrowIfZero(secondsPerCall.Count);
        Name = name;
        _sorted = [.. secondsPerCall.Order()];
    }

    public string Name { get; }

    public int Rounds => _sorted.Length;

    public double Median => Quantile(0.5);

    public double Best => _sorted[0];

    /// <summary>(q3 - q1) / median.</summary>
    public double Spread => (Quantile(0.75) - Quantile(0.25)) / Median;

    /// <summary>Linear between the two neighbours.</summary>
    public double Quantile(double q)
    {
        var place = q * (_sorted.Length - 1);
        var low = (int)place;
        var high = Math.Min(low + 1, _sorted.Length - 1);
        return _sorted[low] + ((place - low) * (_sorted[high] - _sorted[low]));
    }
}
