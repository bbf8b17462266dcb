using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Tests;
using GrpcRec.V1;

namespace GrpcRec.Server.Tests.Recommendations;

/// <summary>What the scalar engine says of a sequence, asked directly: the other side of every comparison.</summary>
public sealed class Reference : IDisposable
{
    private readonly IStepEngine _engine;
    private readonly Slot _slot;

    public Reference(string version, params (int Item, int Behavior)[] events)
    {
        _engine = StepEngineFactory.Create(ArtifactFixture.Create("shop", version, version[1]), new EngineOptions { Kind = EngineKind.Scalar, SlotCapacity = 1 });
        Assert.True(_engine.TryRent(out _slot));
        foreach (var (item, behavior) in events)
            _engine.Step([new StepEvent(_slot, item, behavior)]);
    }

    public void Dispose() => _engine.Dispose();

    /// <returns>Columns: buy, next, action × 3.</returns>
    public float[] Candidate(int item)
    {
        var logits = new float[_engine.CandidateWidth];
        _engine.ScoreCandidates(_slot, [item], logits);
        return logits;
    }

    public float[] Sequence()
    {
        var logits = new float[_engine.SequenceWidth];
        _engine.ScoreSequence(_slot, logits);
        return logits;
    }

    public Engine.Ranking.RankedItem[] Rank(int k, params int[] excluded)
    {
        var query = new RankQuery { Slot = _slot, K = k, Excluded = excluded };
        _engine.Rank([query]);
        return query.Result;
    }

    public static double Sigmoid(double logit) => 1 / (1 + Math.Exp(-logit));

    public static double[] Softmax(params float[] logits)
    {
        var sum = logits.Sum(logit => Math.Exp(logit));
        return [.. logits.Select(logit => Math.Exp(logit) / sum)];
    }

    public static Event Event(int item, string behavior = "", long timestamp = 0) =>
        new() { ItemId = ArtifactFixture.ItemId(item), Behavior = behavior, TimestampMs = timestamp };

    public static UserState User(params Event[] events) => new() { Sequence = new EventSequence { Events = { events } } };
}
