using GrpcRec.Benchmarks.Suites;
using GrpcRec.Benchmarks.Timing;

namespace GrpcRec.Benchmarks.Training;

/// <summary>An epoch of training beside the straightforward one, at equal loss.</summary>
public sealed class TrainSuite : IBenchmarkSuite
{
    private const string SameAllocator = "train_ml1m", OutOfTheBox = "train_ml1m_default";
    private const double SameGoal = 2, DefaultGoal = 10;

    /// <summary>Each round trains for minutes.</summary>
    private const int MostRounds = 3;

    /// <summary>The system's allocator makes an epoch minutes long; its steps are all of one size.</summary>
    private const int DefaultSteps = 12;

    /// <summary>By which the losses of the two may differ: they shuffle and drop differently.</summary>
    private const double LossTolerance = 0.03;

    public string Name => "train";

    public string Summary => $"One epoch of ML-1M (every training event a target, {TrainingTask.BatchSize} windows of at most {TrainingTask.MaxLength} a step) against padded batches with all logits in TorchSharp. Takes some ten minutes; use --threads 2.";

    public IReadOnlyList<string> RowNames { get; } = [SameAllocator, OutOfTheBox];

    public IEnumerable<BenchmarkRow> Run(BenchmarkContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var rounds = Math.Min(context.Timer.Rounds, MostRounds);
        var (ours, plain, byDefault) = (new List<TrainingMeasurement>(), new List<TrainingMeasurement>(), new List<TrainingMeasurement>());
        for (var round = 0; round < rounds; round++)
        {
            ours.Add(Measure(TrainingSide.Ours, hugePages: true));
            if (context.Wants(SameAllocator))
                plain.Add(Measure(TrainingSide.Plain, hugePages: true));
            if (context.Wants(OutOfTheBox))
                byDefault.Add(Measure(TrainingSide.Plain, hugePages: false, DefaultSteps));
        }

        if (plain.Count > 0)
        {
            double mine = ours[0].Losses[^1], theirs = plain[0].Losses[^1];
            if (Math.Abs(mine - theirs) > LossTolerance * theirs)
                throw new BenchmarkException(FormattableString.Invariant($"the two do not learn alike: after two epochs the loss is {mine:F4}, and {theirs:F4} the straightforward way"));
            yield return Row(SameAllocator, SameGoal, ours, plain, FormattableString.Invariant(
                $"huge pages for both; loss of the second epoch {mine:F3} and {theirs:F3}; peak memory {Gigabytes(ours)} and {Gigabytes(plain)} GB"));
        }

        if (byDefault.Count > 0)
        {
            yield return Row(OutOfTheBox, DefaultGoal, ours, byDefault, FormattableString.Invariant(
                $"theirs with the system's allocator as it is, {DefaultSteps} steps scaled up to an epoch, too few to compare losses; peak memory {Gigabytes(ours)} and {Gigabytes(byDefault)} GB"));
        }

        TrainingMeasurement Measure(TrainingSide side, bool hugePages, int steps = 0)
        {
            var measured = TrainingProcess.Run(side, context.Threads, hugePages, steps);
            context.Say(FormattableString.Invariant($"  {side}, {(hugePages ? "huge pages" : "system's allocator")}: {measured.Seconds:F1} s an epoch"));
            return measured;
        }
    }

    private static string Gigabytes(List<TrainingMeasurement> runs) =>
        (runs.Max(run => run.PeakBytes) / 1e9).ToString("F1", System.Globalization.CultureInfo.InvariantCulture);

    private static BenchmarkRow Row(string name, double goal, List<TrainingMeasurement> ours, List<TrainingMeasurement> theirs, string note) =>
        BenchmarkRow.SpeedUp(
            name, goal, "TorchSharp, padded, all logits", new TimingSeries("ours", [.. ours.Select(run => run.Seconds)]), new TimingSeries("theirs", [.. theirs.Select(run => run.Seconds)]),
            unit: "s", scale: 1, note: note);
}
