using GrpcRec.Benchmarks.Encoding;
using GrpcRec.Benchmarks.Suites;
using GrpcRec.Benchmarks.Timing;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Benchmarks.Session;

/// <summary>What a resident state spares: one event and a Score, beside reading the whole history again for it.</summary>
public sealed class SessionSuite : IBenchmarkSuite
{
    private const string Row = "session";
    private const double Goal = 25;
    private const int Candidates = 10;

    public string Name => "session";

    public string Summary => $"One event and a Score of {Candidates} candidates on a resident slot, against reading all {LstmSize.Small.Length} events again ({LstmSize.Small}).";

    public IReadOnlyList<string> RowNames { get; } = [Row];

    public IEnumerable<BenchmarkRow> Run(BenchmarkContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (!context.Wants(Row))
            yield break;
        var size = LstmSize.Small;
        var model = size.Create();
        using var engine = StepEngineFactory.Create(model, new EngineOptions { SlotCapacity = 2, Precision = Precision.Float32 });
        var histories = EventBatch.Random(1, size.Length, size.Items);
        int[] behaviors = new int[size.Length], candidates = [.. Enumerable.Range(0, Candidates).Select(i => i * 7)];
        float[] resident = new float[Candidates * engine.CandidateWidth], replayed = new float[resident.Length];

        // 1. The last event on a state that has read the ones before gives the bits of reading all.
        var slot = Rent();
        engine.Advance([new EventRun(slot, 0, size.Length - 1)], histories[0].Items, behaviors);
        Observe(size.Length - 1);
        Replay(histories[0]);
        if (!resident.AsSpan().SequenceEqual(replayed))
            throw new BenchmarkException("a resident slot scores otherwise than its history read again");

        // 2. How fast.
        var (turn, call) = (0, 0);
        var times = context.Timer.Measure(
            new Contestant("resident", () => Observe(call++ % size.Length)),
            new Contestant("replay", () => Replay(histories[turn++ % histories.Length])));
        yield return BenchmarkRow.SpeedUp(Row, Goal, $"reading {size.Length} events again", times[0], times[1], note: $"{engine.Name}, one thread, both with a Score of {Candidates} candidates");

        Slot Rent() => engine.TryRent(out var rented) ? rented : throw new InvalidOperationException("no slot is free: the one before was not given back");

        void Observe(int position)
        {
            engine.Advance([new EventRun(slot, position, 1)], histories[0].Items, behaviors);
            engine.ScoreCandidates(slot, candidates, resident);
        }

        void Replay(EventBatch history)
        {
            var fresh = Rent();
            engine.Advance([new EventRun(fresh, 0, size.Length)], history.Items, behaviors);
            engine.ScoreCandidates(fresh, candidates, replayed);
            engine.Return(fresh);
        }
    }
}
