using GrpcRec.Benchmarks.Encoding;
using GrpcRec.Benchmarks.Suites;
using GrpcRec.Benchmarks.Timing;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Benchmarks.Ragged;

/// <summary>Sequences of many lengths from many callers: the batch formed at every step beside padded batches; and long ones beside short ones.</summary>
public sealed class RaggedSuite : IBenchmarkSuite
{
    private const string Ragged = "ragged", RaggedP99 = "ragged_p99", Sustained = "ragged_at_p99", Fairness = "fairness_p99";
    private const double Goal = 5, FairnessGoal = 2;

    private const int TraceLength = 4_000;

    /// <summary>Enough that a batcher which sorts has something to choose from.</summary>
    private const int Callers = 512;

    /// <summary>Of ONNX Runtime's capacity: a load that one would still give it.</summary>
    private const double OfferedShare = 0.7;

    private static readonly TimeSpan TuningTurn = TimeSpan.FromSeconds(0.5), Turn = TimeSpan.FromSeconds(1), LatencyTurn = TimeSpan.FromSeconds(2);

    public string Name => "ragged";

    public string Summary => $"Sequences of log-normal lengths (mean {RaggedTrace.MeanLength}, at most {RaggedTrace.MaxLength}) from many callers, {RaggedModel.Size.RowPrefix} of the engine suite, against ONNX Runtime's best padded dynamic batching; short requests beside long ones.";

    public IReadOnlyList<string> RowNames { get; } = [Ragged, RaggedP99, Sustained, Fairness];

    public IEnumerable<BenchmarkRow> Run(BenchmarkContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var model = RaggedModel.Create();
        if (context.WantsAny([Ragged, RaggedP99, Sustained]))
        {
            foreach (var row in RunRagged(context, model))
                yield return row;
        }

        if (context.Wants(Fairness))
            yield return new FairnessRow(context, model).Run(Fairness, FairnessGoal);
    }

    private static IEnumerable<BenchmarkRow> RunRagged(BenchmarkContext context, ModelArtifact model)
    {
        var trace = RaggedTrace.Create(TraceLength, RaggedModel.Size.Items);
        var ours = new PoolServer(model, context.Threads);
        var tuning = new OrtTuning(context, model, trace);
        try
        {
            // 1. They compute the same.
            var error = Compare(model, trace, ours);

            // 2. The batcher at its best, and as one without sorting would be.
            var best = tuning.Fastest(Callers, TuningTurn);
            var plain = tuning.Fastest(Callers, TuningTurn, sorts: false);

            // 3. Sequences per second, in turns.
            var rates = (Ours: new List<double>(), Best: new List<double>(), Plain: new List<double>());
            Wait(LoadDriver.SaturateAsync(ours, trace.Sequences, Callers, TuningTurn));
            for (var round = 0; round < context.Timer.Rounds; round++)
            {
                rates.Ours.Add(Wait(LoadDriver.SaturateAsync(ours, trace.Sequences, Callers, Turn)));
                rates.Best.Add(tuning.Rate(best, Callers, Turn));
                rates.Plain.Add(tuning.Rate(plain, Callers, Turn));
            }

            var seconds = (Ours: Series(rates.Ours), Best: Series(rates.Best), Plain: Series(rates.Plain));
            if (context.Wants(Ragged))
            {
                yield return BenchmarkRow.SpeedUp(Ragged, Goal, $"{OrtSettings.Name}, {best}", seconds.Ours, seconds.Best, unit: "µs/sequence", note: FormattableString.Invariant(
                    $"{ours.Name}, {context.Threads} threads each; {1 / seconds.Ours.Median:F0} sequences/s for {1 / seconds.Best.Median:F0}, {Callers} callers; largest difference of logits {error:E1}; batches as they come ({plain}): {1 / seconds.Plain.Median:F0} sequences/s, {seconds.Plain.Median / seconds.Ours.Median:F2} of ours"));
            }

            if (context.Wants(RaggedP99))
                yield return Latency(context, trace, ours, tuning, OfferedShare / seconds.Best.Median);
            // Past what is answered with every caller waiting, no load can be sustained.
            if (context.Wants(Sustained))
                yield return new SustainedRow(context, trace, ours, tuning).Run(Sustained, Goal, 1.2 / seconds.Ours.Median);
        }
        finally
        {
            tuning.Dispose();
            Wait(ours.DisposeAsync().AsTask());
        }
    }

    private static BenchmarkRow Latency(BenchmarkContext context, RaggedTrace trace, PoolServer ours, OrtTuning tuning, double perSecond)
    {
        var best = tuning.MostPunctual(perSecond, Turn);
        var p99 = (Ours: new List<double>(), Theirs: new List<double>());
        Latencies? mine = null, other = null;
        for (var round = 0; round < context.Timer.Rounds; round++)
        {
            mine = Wait(LoadDriver.OfferAsync(ours, trace.Sequences, perSecond, LatencyTurn, round));
            other = Wait(LoadDriver.OfferAsync(tuning.Server(best), trace.Sequences, perSecond, LatencyTurn, round));
            p99.Ours.Add(mine.P99);
            p99.Theirs.Add(other.P99);
        }

        return BenchmarkRow.SpeedUp(RaggedP99, 1, $"{OrtSettings.Name}, {best}", new TimingSeries("ours", p99.Ours), new TimingSeries("theirs", p99.Theirs), unit: "ms", scale: 1e3,
            note: FormattableString.Invariant($"99th percentile at {perSecond:F0} sequences/s offered to both, {OfferedShare:P0} of what ONNX Runtime can; last round: ours {mine}, ONNX Runtime {other}"));
    }

    /// <summary>Largest difference between ours, ONNX Runtime and the scalar reference.</summary>
    private static double Compare(ModelArtifact model, RaggedTrace trace, PoolServer ours)
    {
        const int Compared = 64;
        var onnx = new OrtBatcher(model, new OrtBatcherOptions(1, 1, Compared, TimeSpan.FromMilliseconds(50), SortsByLength: false));
        using var reference = StepEngineFactory.Create(model, new EngineOptions { Kind = EngineKind.Scalar, SlotCapacity = 1 });
        try
        {
            var sequences = trace.Sequences.Take(Compared).ToArray();
            var mine = Task.WhenAll(sequences.Select(sequence => ours.AnswerAsync(sequence).AsTask())).GetAwaiter().GetResult();
            var other = Task.WhenAll(sequences.Select(sequence => onnx.AnswerAsync(sequence).AsTask())).GetAwaiter().GetResult();
            var largest = 0.0;
            var expected = new float[RaggedModel.Classes];
            for (var i = 0; i < sequences.Length; i++)
            {
                if (!reference.TryRent(out var slot))
                    throw new BenchmarkException("the reference has no slot");
                reference.Advance([new EventRun(slot, 0, sequences[i].Length)], sequences[i], new int[sequences[i].Length]);
                reference.ScoreSequence(slot, expected);
                reference.Return(slot);
                for (var c = 0; c < expected.Length; c++)
                    largest = Math.Max(largest, Math.Max(Math.Abs(mine[i][c] - expected[c]), Math.Abs(other[i][c] - expected[c])));
            }

            return largest <= Agreement.Float32Tolerance
                ? largest
                : throw new BenchmarkException(FormattableString.Invariant($"the contestants' logits are {largest:E2} apart where {Agreement.Float32Tolerance:E0} is allowed, so nothing was timed"));
        }
        finally
        {
            Wait(onnx.DisposeAsync().AsTask());
        }
    }

    private static TimingSeries Series(List<double> rates) => new("", [.. rates.Select(rate => 1 / rate)]);

    private static void Wait(Task task) => task.GetAwaiter().GetResult();

    private static T Wait<T>(Task<T> task) => task.GetAwaiter().GetResult();
}
