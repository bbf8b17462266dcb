namespace GrpcRec.Benchmarks.Ragged;

/// <summary>Seconds that answers took.</summary>
public sealed class Latencies(IEnumerable<double> seconds)
{
    private readonly double[] _sorted = [.. seconds.Order()];

    public int Count => _sorted.Length;

    public double P50 => Quantile(0.5);

    public double P99 => Quantile(0.99);

    private double Quantile(double q) => _sorted.Length == 0 ? double.NaN : _sorted[Math.Min(_sorted.Length - 1, (int)(q * _sorted.Length))];

    public override string ToString() => FormattableString.Invariant($"p50 {P50 * 1e3:G3} ms, p99 {P99 * 1e3:G3} ms");
}
