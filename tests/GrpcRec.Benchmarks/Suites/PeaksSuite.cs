namespace GrpcRec.Benchmarks.Suites;

/// <summary>What the machine can do at most: the measure of the other suites' shares.</summary>
public sealed class PeaksSuite : IBenchmarkSuite
{
    public string Name => "peaks";

    public string Summary => "The machine's own limits: fused multiply-adds and memory reads, at one thread and two.";

    public IReadOnlyList<string> RowNames { get; } = ["peak_fma", "peak_read"];

    public IEnumerable<BenchmarkRow> Run(BenchmarkContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var peaks = context.Peaks;
        if (context.Wants("peak_fma"))
            yield return Row("peak_fma", peaks.FmaOneThread, peaks.FmaTwoThreads, "GF/s");
        if (context.Wants("peak_read"))
            yield return Row("peak_read", peaks.ReadOneThread, peaks.ReadTwoThreads, "GB/s");
    }

    private static BenchmarkRow Row(string name, double one, double two, string unit) => new()
    {
        Name = name,
        Ratio = two / one,
        Direction = RatioGoal.None,
        Against = "one thread",
        Ours = two,
        Theirs = one,
        Unit = unit,
        Repeats = Machine.MachinePeaks.Rounds,
        Spread = 0,
        Note = "best round of each",
    };
}
