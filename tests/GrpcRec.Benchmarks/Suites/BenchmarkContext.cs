using GrpcRec.Benchmarks.Machine;
using GrpcRec.Benchmarks.Timing;

namespace GrpcRec.Benchmarks.Suites;

/// <summary>How a run was asked for, and what all suites share.</summary>
public sealed class BenchmarkContext
{
    public const int MaxThreads = 2;
    public const int MaxRepeats = 99;

    private readonly string _filter;
    private readonly Action<string> _progress;
    private readonly Lazy<MachinePeaks> _peaks;

    /// <param name="threads">1 to <see cref="MaxThreads"/>.</param>
    /// <param name="repeats">Rounds of the interleaved timer.</param>
    /// <param name="filter">Part of a row's name; empty for all rows.</param>
    /// <param name="progress">Takes one line for a person, for standard error.</param>
    public BenchmarkContext(int threads, int repeats, string filter, Action<string> progress)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, MaxThreads);
        Threads = threads;
        Timer = new InterleavedTimer(repeats);
        _filter = filter;
        _progress = progress;
        _peaks = new Lazy<MachinePeaks>(() =>
        {
            Say("measuring the machine's peaks");
            var peaks = MachinePeaks.Measure();
            Say(peaks.ToString());
            return peaks;
        });
    }

    /// <summary>Threads of every contestant.</summary>
    public int Threads { get; }

    public InterleavedTimer Timer { get; }

    /// <summary>Measured once a run, when first asked for.</summary>
    public MachinePeaks Peaks => _peaks.Value;

    public bool Wants(string row) => row.Contains(_filter, StringComparison.OrdinalIgnoreCase);

    public bool WantsAny(IEnumerable<string> rows) => rows.Any(Wants);

    public void Say(string line) => _progress(line);
}
