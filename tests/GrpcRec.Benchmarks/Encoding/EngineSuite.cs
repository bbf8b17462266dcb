using GrpcRec.Benchmarks.Suites;

namespace GrpcRec.Benchmarks.Encoding;

/// <summary>Whole sequences through an LSTM: float32, reduced precision, and the share of the machine's peak.</summary>
public sealed class EngineSuite : IBenchmarkSuite
{
    private static readonly (int Batch, double Goal)[] Float32 = [(1, 2), (16, 1.8), (64, 1.8), (256, 2)];
    private static readonly (int Batch, double Goal)[] LargeFloat32 = [(1, 1.3), (16, 1.4), (64, 1.4)];
    private static readonly (int Batch, double Goal)[] Reduced = [(1, 2.5), (16, 1.5), (64, 1.5), (256, 1.8)];
    private const double PeakGoal = 0.75, LargePeakGoal = 0.85;

    public string Name => "engine";

    public string Summary => $"An LSTM over whole sequences against ONNX Runtime and TorchSharp with the same weights ({LstmSize.Small}; large: {LstmSize.Large}).";

    public IReadOnlyList<string> RowNames { get; } =
    [
        .. Float32.Select(row => Float32Row(LstmSize.Small, row.Batch)),
        PeakRow(LstmSize.Small),
        .. LargeFloat32.Select(row => Float32Row(LstmSize.Large, row.Batch)),
        PeakRow(LstmSize.Large),
        .. Reduced.Select(row => ReducedRow(row.Batch)),
    ];

    public IEnumerable<BenchmarkRow> Run(BenchmarkContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        foreach (var row in RunFloat32(context, LstmSize.Small, Float32, PeakGoal))
            yield return row;
        foreach (var row in RunFloat32(context, LstmSize.Large, LargeFloat32, LargePeakGoal))
            yield return row;
        if (!context.WantsAny(Reduced.Select(row => ReducedRow(row.Batch))))
            yield break;
        using var reduced = new ReducedRows(context, LstmSize.Small);
        foreach (var (batch, goal) in Reduced.Where(row => context.Wants(ReducedRow(row.Batch))))
            yield return reduced.Run(ReducedRow(batch), batch, goal);
    }

    private static IEnumerable<BenchmarkRow> RunFloat32(BenchmarkContext context, LstmSize size, (int Batch, double Goal)[] rows, double peakGoal)
    {
        if (!context.WantsAny(rows.Select(row => Float32Row(size, row.Batch)).Append(PeakRow(size))))
            yield break;
        using var float32 = new Float32Rows(context, size);
        foreach (var (batch, goal) in rows.Where(row => context.Wants(Float32Row(size, row.Batch))))
            yield return float32.Run(Float32Row(size, batch), batch, goal);
        if (context.Wants(PeakRow(size)))
            yield return float32.Peak(PeakRow(size), Float32Rows.PeakBatch, peakGoal);
    }

    private static string Float32Row(LstmSize size, int batch) => $"{size.RowPrefix}_f32_b{batch}";

    private static string PeakRow(LstmSize size) => $"{size.RowPrefix}_f32_b{Float32Rows.PeakBatch}_peak";

    private static string ReducedRow(int batch) => $"lstm_reduced_b{batch}";
}
