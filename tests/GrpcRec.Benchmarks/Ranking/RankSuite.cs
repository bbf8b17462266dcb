using GrpcRec.Benchmarks.Encoding;
using GrpcRec.Benchmarks.Machine;
using GrpcRec.Benchmarks.Suites;
using GrpcRec.Benchmarks.Timing;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;

namespace GrpcRec.Benchmarks.Ranking;

/// <summary>The exact best k of a whole catalogue, and what a filter costs.</summary>
public sealed class RankSuite : IBenchmarkSuite
{
    private const int Width = 128, K = 100, Categories = 100;
    private const int Small = 100_000, Large = 1_000_000;
    private const string BandwidthRow = "rank_1m_b1_bandwidth";

    private static readonly (string Row, int Batch, double Goal)[] SmallRows = [("rank_100k_b1", 1, 5), ("rank_100k_b64", 64, 1.5)];
    private static readonly (string Row, int Batch, double Goal)[] LargeRows = [("rank_1m_b64", 64, 1.5)];

    // A filter that leaves little must cost less than the whole scan; one that leaves much may cost its own compilation too.
    private static readonly (string Row, double Share, double? Goal)[] Filters =
    [
        ("rank_1m_filter_0.1pct", 0.001, 1),
        ("rank_1m_filter_1pct", 0.01, 1),
        ("rank_1m_filter_10pct", 0.1, null),
        ("rank_1m_filter_50pct", 0.5, null),
    ];

    private const string CategoryRow = "rank_1m_filter_category", PieceRow = "rank_1m_filter_10pct_piece";

    public string Name => "rank";

    public string Summary => $"The exact best {K} of a whole catalogue (E={Width}) against ONNX Runtime's MatMul and TopK, and what filters cost.";

    public IReadOnlyList<string> RowNames { get; } = [.. SmallRows.Select(row => row.Row), BandwidthRow, .. LargeRows.Select(row => row.Row), .. Filters.Select(row => row.Row), PieceRow, CategoryRow];

    public IEnumerable<BenchmarkRow> Run(BenchmarkContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        foreach (var row in AgainstOnnx(context, Small, SmallRows))
            yield return row;
        if (!context.WantsAny([BandwidthRow, PieceRow, CategoryRow, .. LargeRows.Select(row => row.Row), .. Filters.Select(row => row.Row)]))
            yield break;
        var large = Create(context, Large);
        if (context.Wants(BandwidthRow))
            yield return Bandwidth(context, large);
        foreach (var row in AgainstOnnx(context, Large, LargeRows, large))
            yield return row;
        foreach (var (row, share, goal) in Filters.Where(filter => context.Wants(filter.Row)))
            yield return Filtered(context, large, row, goal, new RankFilter { AllowedItems = Sample(share) }, $"an ascending list of {share:P1} of the items");
        if (context.Wants(PieceRow))
            yield return Filtered(context, large, PieceRow, 1, new RankFilter { AllowedItems = [.. Enumerable.Range(Large / 3, Large / 10)] }, "a list of 10 % of the items, all in one piece");
        if (context.Wants(CategoryRow))
            yield return Filtered(context, large, CategoryRow, 1, new RankFilter { AllowedCategories = [7] }, $"one category of {Categories}");
    }

    private static IEnumerable<BenchmarkRow> AgainstOnnx(BenchmarkContext context, int items, (string Row, int Batch, double Goal)[] rows, ModelArtifact? model = null)
    {
        if (!context.WantsAny(rows.Select(row => row.Row)))
            yield break;
        model ??= Create(context, items);
        using var onnx = new OnnxRanking(model, K, context.Threads);
        foreach (var (row, batch, goal) in rows.Where(row => context.Wants(row.Row)))
        {
            using var ours = new StepEngineRanking(model, batch, K, context.Threads);
            float[] queries = [.. ours.Hidden.SelectMany(hidden => hidden)];
            ours.Rank();
            var ties = RankAgreement.NearTies(ours.Results, onnx.Rank(queries, batch));
            var times = context.Timer.Measure(
                new Contestant(ours.Name, ours.Rank),
                new Contestant(OnnxRanking.Name, () => onnx.Run(queries, batch).Dispose()));
            yield return BenchmarkRow.SpeedUp(row, goal, OnnxRanking.Name, times[0], times[1], note:
                $"{ours.Name}; {batch * K - ties} of {batch * K} places hold the same item, the others are ties to {RankAgreement.Tolerance:E0}");
        }
    }

    /// <summary>One query over a million items, against reading the float32 table once. ONNX Runtime is not needed: the other rows check results.</summary>
    private static BenchmarkRow Bandwidth(BenchmarkContext context, ModelArtifact model)
    {
        using var ours = new StepEngineRanking(model, 1, K, context.Threads);
        using var memory = new ReadMemory((long)Large * Width * sizeof(float));
        using var pair = new PairedWork();
        var times = context.Timer.Measure(
            new Contestant(ours.Name, ours.Rank),
            new Contestant("read once", context.Threads == 1 ? () => memory.Read() : () => pair.Run(() => memory.Read(0, 0.5), () => memory.Read(0.5, 1))));
        return new BenchmarkRow
        {
            Name = BandwidthRow,
            Ratio = times[0].Median / times[1].Median,
            Goal = 0.4,
            Direction = RatioGoal.AtMost,
            Against = "reading the float32 table once",
            Ours = times[0].Median * 1e6,
            Theirs = times[1].Median * 1e6,
            Unit = "µs",
            Repeats = times[0].Rounds,
            Spread = Math.Max(times[0].Spread, times[1].Spread),
            Note = FormattableString.Invariant($"{ours.Name}; the table has {Large * (long)Width * sizeof(float) / 1e6:F0} MB, read at {Large * (long)Width * sizeof(float) / times[1].Median / 1e9:F1} GB/s"),
        };
    }

    private static BenchmarkRow Filtered(BenchmarkContext context, ModelArtifact model, string row, double? goal, RankFilter filter, string what)
    {
        using var filtered = new StepEngineRanking(model, 1, K, threads: 1, filter);
        using var whole = new StepEngineRanking(model, 1, K, threads: 1);
        var times = context.Timer.Measure(new Contestant("filtered", filtered.Rank), new Contestant("whole", whole.Rank));
        return new BenchmarkRow
        {
            Name = row,
            Ratio = times[0].Median / times[1].Median,
            Goal = goal,
            Direction = goal is null ? RatioGoal.None : RatioGoal.AtMost,
            Against = "our scan of the whole catalogue",
            Ours = times[0].Median * 1e6,
            Theirs = times[1].Median * 1e6,
            Unit = "µs",
            Repeats = times[0].Rounds,
            Spread = Math.Max(times[0].Spread, times[1].Spread),
            Note = $"one query, one thread; allowed: {what}",
        };
    }

    private static ModelArtifact Create(BenchmarkContext context, int items)
    {
        context.Say($"rank: making a catalogue of {items} items, E={Width}");
        return SyntheticModel.Catalog(items, Width, Categories);
    }

    /// <summary>Ascending ids.</summary>
    private static int[] Sample(double share)
    {
        var random = new Random(13);
        return [.. Enumerable.Range(0, Large).Where(_ => random.NextDouble() < share)];
    }
}
