using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using GrpcRec.Benchmarks.Suites;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Benchmarks.Kernels;

/// <summary>The engine's kernels one by one, by BenchmarkDotNet, beside the machine's peak. One thread.</summary>
public sealed class KernelSuite : IBenchmarkSuite
{
    private const int Depth = 128, Columns = 64;

    private static readonly (string Method, string Row, double Flops)[] Kernels =
    [
        (nameof(BlockKernelBenchmarks.OneRow), "multiply_1x64", 2.0 * Depth * Columns),
        (nameof(BlockKernelBenchmarks.SixRows), "multiply_6x64", 6 * 2.0 * Depth * Columns),
        (nameof(BlockKernelBenchmarks.Activation), "lstm_activation", 0),
    ];

    public string Name => "kernels";

    public string Summary => "The engine's kernels on each instruction set of this machine, beside its peak.";

    public IReadOnlyList<string> RowNames { get; } =
        [.. BlockKernelBenchmarks.Paths.SelectMany(path => Kernels.Select(kernel => RowName(kernel.Row, path)))];

    public IEnumerable<BenchmarkRow> Run(BenchmarkContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var peak = context.Peaks.FmaOneThread;
        // In this process: a project of its own for each benchmark would be built first, for minutes.
        var job = Job.Default.WithToolchain(InProcessNoEmitToolchain.Instance).WithWarmupCount(3).WithIterationCount(context.Timer.Rounds);
        var config = ManualConfig.CreateEmpty().AddJob(job).AddLogger(NullLogger.Instance)
            .AddColumnProvider(BenchmarkDotNet.Columns.DefaultColumnProviders.Instance)
            .AddFilter(new BenchmarkDotNet.Filters.SimpleFilter(one => Find(one) is { } row && context.Wants(row.Name)))
            .WithOption(ConfigOptions.DisableLogFile, true)
            .WithArtifactsPath(Path.Combine(Path.GetTempPath(), "grpcrec-bench"));
        context.Say("kernels: BenchmarkDotNet, some seconds each");
        var summary = BenchmarkRunner.Run<BlockKernelBenchmarks>(config);
        if (summary.HasCriticalValidationErrors || summary.Reports.IsEmpty)
            throw new BenchmarkException($"BenchmarkDotNet ran nothing: {string.Join("; ", summary.ValidationErrors.Select(error => error.Message))}");
        foreach (var report in summary.Reports)
            yield return Row(report, peak);
    }

    private static BenchmarkRow Row(BenchmarkReport report, double peak)
    {
        var (name, flops) = Find(report.BenchmarkCase)!.Value;
        var statistics = report.ResultStatistics ?? throw new BenchmarkException($"{name}: BenchmarkDotNet gave no result");
        var rate = flops / statistics.Median;
        var isProduct = flops > 0;
        return new BenchmarkRow
        {
            Name = name,
            Ratio = isProduct ? rate / peak : 1,
            Direction = RatioGoal.None,
            Against = isProduct ? "measured FMA peak" : "itself",
            Ours = isProduct ? rate : statistics.Median,
            Theirs = isProduct ? peak : statistics.Median,
            Unit = isProduct ? "GF/s" : "ns",
            Repeats = statistics.N,
            Spread = statistics.InterquartileRange / statistics.Median,
            Note = FormattableString.Invariant($"{statistics.Median:F1} ns{(isProduct ? "" : " for 16 units")}"),
        };
    }

    private static (string Name, double Flops)? Find(BenchmarkCase one)
    {
        var path = (KernelPath)one.Parameters[nameof(BlockKernelBenchmarks.Path)];
        var kernel = Kernels.FirstOrDefault(kernel => kernel.Method == one.Descriptor.WorkloadMethod.Name);
        return kernel.Method is null ? null : (RowName(kernel.Row, path), kernel.Flops);
    }

    private static string RowName(string kernel, KernelPath path) => $"{kernel}_{path.ToString().ToLowerInvariant()}";
}
