using CsCheck;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Batching;
using Microsoft.Extensions.Time.Testing;

namespace GrpcRec.Serving.Tests.Batching;

public sealed class BatchSchedulerTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new();
    private readonly FaultCounter _faults = new();
    private readonly List<ComputePool> _pools = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var pool in _pools)
            await pool.DisposeAsync();
    }

    [Fact]
    public async Task Run_RaggedCompany_AnswersAsAlone()
    {
        await Gen.Int[0, 12].Array[1, 40].SampleAsync(
            async lengths =>
            {
                await using var alone = Scheduler(Engine(8), maxBatch: 1);
                await using var company = Scheduler(Engine(8), maxBatch: 3);
                var random = new Random(lengths.Length);
                var pairs = lengths.Select(length =>
                {
                    int[] items = [.. Enumerable.Range(0, length).Select(_ => random.Next(ArtifactFixture.CatalogSize))];
                    return (Alone: Everything(items), Company: Everything(items));
                }).ToArray();
                foreach (var (one, _) in pairs)
                    Assert.Null(await alone.RunAsync(one));
                foreach (var rejection in await Task.WhenAll(pairs.Select(pair => company.RunAsync(pair.Company).AsTask())))
                    Assert.Null(rejection);
                foreach (var (expected, actual) in pairs)
                {
                    Assert.Equal(expected.CandidateLogits, actual.CandidateLogits);
                    Assert.Equal(expected.SequenceLogits, actual.SequenceLogits);
                    Assert.Equal(expected.Ranked, actual.Ranked);
                }
            },
            iter: 20, threads: 1, seed: "0000KOIKqNe3");
    }

    [Fact]
    public async Task Run_Sequence_GivesWhatTheEngineGives()
    {
        using var engine = Engine(1);
        Assert.True(engine.TryRent(out var slot));
        engine.Step([new StepEvent(slot, 3, 1)]);
        engine.Step([new StepEvent(slot, 7, 0)]);
        var logits = new float[2 * engine.CandidateWidth];
        engine.ScoreCandidates(slot, [5, 9], logits);
        var query = new RankQuery { Slot = slot, K = 4, Excluded = [3, 7] };
        engine.Rank([query]);

        await using var scheduler = Scheduler(Engine(1));
        var request = new BatchRequest { Items = [3, 7], Behaviors = [1, 0], Candidates = [5, 9], RankK = 4, RankExcluded = [3, 7] };
        Assert.Null(await scheduler.RunAsync(request));

        Assert.Equal(logits, request.CandidateLogits);
        Assert.Equal(query.Result, request.Ranked);
    }

    [Fact]
    public async Task Run_ScoreRanked_ScoresTheRankedItemsInTheirOrder()
    {
        await using var scheduler = Scheduler(Engine(2));
        var ranked = new BatchRequest { Items = [1], Behaviors = [0], RankK = 5, ScoreRanked = true };
        Assert.Null(await scheduler.RunAsync(ranked));
        var scored = new BatchRequest { Items = [1], Behaviors = [0], Candidates = [.. ranked.Ranked.Select(item => item.Item)] };
        Assert.Null(await scheduler.RunAsync(scored));
        Assert.Equal(5, ranked.Ranked.Length);
        Assert.Equal(scored.CandidateLogits, ranked.CandidateLogits);
    }

    [Fact]
    public async Task Run_QueueFull_RejectsWithoutWaiting()
    {
        var engine = new GatedEngine(Engine(1));
        await using var scheduler = Scheduler(engine, queue: 2);
        var running = scheduler.RunAsync(Sequence(1));
        await engine.StandsBeforeStepAsync();
        var waiting = new[] { scheduler.RunAsync(Sequence(2)).AsTask(), scheduler.RunAsync(Sequence(3)).AsTask() };

        var refused = scheduler.RunAsync(Sequence(4));

        Assert.True(refused.IsCompleted);
        Assert.Same(Rejection.QueueFull, await refused);
        engine.Open();
        Assert.Null(await running);
        Assert.All(await Task.WhenAll(waiting), Assert.Null);
        Assert.DoesNotContain(engine.Steps, step => step.Contains(4));
    }

    [Fact]
    public async Task Run_DeadlinePassedInQueue_IsNeverStepped()
    {
        var engine = new GatedEngine(Engine(1));
        await using var scheduler = Scheduler(engine);
        var running = scheduler.RunAsync(Sequence(1));
        await engine.StandsBeforeStepAsync();
        var late = scheduler.RunAsync(new BatchRequest { Items = [2], Behaviors = [0], Timeout = TimeSpan.FromMilliseconds(5) });
        var inTime = scheduler.RunAsync(new BatchRequest { Items = [3], Behaviors = [0], Timeout = TimeSpan.FromMilliseconds(6) });

        _time.Advance(TimeSpan.FromMilliseconds(5));
        engine.Open();

        Assert.Null(await running);
        Assert.Same(Rejection.DeadlinePassed, await late);
        Assert.Null(await inTime);
        Assert.Equal([[1], [3]], engine.Steps);
    }

    [Fact]
    public async Task Run_DeadlinePassedBetweenSteps_StopsThere()
    {
        var engine = new GatedEngine(Engine(1));
        await using var scheduler = Scheduler(engine);
        var request = scheduler.RunAsync(new BatchRequest { Items = [1, 2, 3], Behaviors = [0, 0, 0], Timeout = TimeSpan.FromMilliseconds(5) });
        await engine.StandsBeforeStepAsync();
        _time.Advance(TimeSpan.FromMilliseconds(5));
        engine.Open();
        Assert.Same(Rejection.DeadlinePassed, await request);
        Assert.Equal([[1]], engine.Steps);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public async Task Run_DeadlinePassedAlready_IsRefusedAtOnce(int milliseconds)
    {
        await using var scheduler = Scheduler(Engine(1));
        var refused = scheduler.RunAsync(new BatchRequest { Items = [1], Behaviors = [0], Timeout = TimeSpan.FromMilliseconds(milliseconds) });
        Assert.True(refused.IsCompleted);
        Assert.Same(Rejection.DeadlinePassed, await refused);
    }

    [Fact]
    public async Task Run_QueuedTooLong_IsRefused()
    {
        var engine = new GatedEngine(Engine(1));
        await using var scheduler = Scheduler(engine);
        var running = scheduler.RunAsync(Sequence(1));
        await engine.StandsBeforeStepAsync();
        var stale = scheduler.RunAsync(Sequence(2));
        _time.Advance(TimeSpan.FromSeconds(1) + TimeSpan.FromTicks(1));
        engine.Open();
        Assert.Null(await running);
        Assert.Same(Rejection.QueuedTooLong, await stale);
    }

    [Fact]
    public async Task Run_QueuedTooLongWhileNoSlotIsFree_IsRefusedBeforeOneIs()
    {
        var engine = new GatedEngine(Engine(1));
        await using var scheduler = Scheduler(engine);
        var running = scheduler.RunAsync(Sequence(1, 1, 1)).AsTask();
        await engine.StandsBeforeStepAsync();
        var stale = scheduler.RunAsync(Sequence(2)).AsTask();
        _time.Advance(TimeSpan.FromSeconds(1) + TimeSpan.FromTicks(1));
        engine.Permit(1);
        Assert.Same(Rejection.QueuedTooLong, await stale.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.False(running.IsCompleted);
        engine.Open();
        Assert.Null(await running);
    }

    [Fact]
    public async Task Run_CancelledInQueueOrBetweenSteps_FreesItsPlace()
    {
        var engine = new GatedEngine(Engine(1));
        await using var scheduler = Scheduler(engine);
        using var first = new CancellationTokenSource();
        using var second = new CancellationTokenSource();
        var running = scheduler.RunAsync(new BatchRequest { Items = [1, 2], Behaviors = [0, 0], CancellationToken = first.Token });
        await engine.StandsBeforeStepAsync();
        var queued = scheduler.RunAsync(new BatchRequest { Items = [3], Behaviors = [0], CancellationToken = second.Token });
        var next = scheduler.RunAsync(Sequence(4));
        await first.CancelAsync();
        await second.CancelAsync();
        engine.Open();
        Assert.Same(Rejection.Cancelled, await running);
        Assert.Same(Rejection.Cancelled, await queued);
        Assert.Null(await next);
        Assert.Equal([[1], [4]], engine.Steps);
        Assert.Same(Rejection.Cancelled, await scheduler.RunAsync(new BatchRequest { Items = [3], Behaviors = [0], CancellationToken = first.Token }));
    }

    [Fact]
    public async Task Run_LongSequencesFillTheBatch_ShortOneGetsItsTurn()
    {
        var engine = new GatedEngine(Engine(8));
        await using var scheduler = Scheduler(engine, maxBatch: 2);
        var plug = scheduler.RunAsync(Sequence(0));
        await engine.StandsBeforeStepAsync();
        var longs = Enumerable.Range(1, 4).Select(item => scheduler.RunAsync(Sequence([.. Enumerable.Repeat(item, 100)])).AsTask()).ToArray();
        var shortOne = scheduler.RunAsync(Sequence(9)).AsTask();
        engine.Permit(4);

        Assert.Null(await shortOne.WaitAsync(TimeSpan.FromSeconds(30)));

        Assert.All(longs, task => Assert.False(task.IsCompleted));
        engine.Open();
        Assert.Null(await plug);
        Assert.All(await Task.WhenAll(longs), Assert.Null);
        Assert.Equal([[0], [1, 2], [3, 4], [9, 1], [2, 3], [4, 1]], engine.Steps.Take(6));
    }

    [Fact]
    public async Task Run_NewcomerDuringWork_JoinsAtTheNextStep()
    {
        var engine = new GatedEngine(Engine(8));
        await using var scheduler = Scheduler(engine);
        var first = scheduler.RunAsync(Sequence(1, 2, 3));
        await engine.StandsBeforeStepAsync();
        var second = scheduler.RunAsync(Sequence(7));
        engine.Open();
        Assert.Null(await second);
        Assert.Null(await first);
        Assert.Equal([[1], [2, 7], [3]], engine.Steps);
    }

    [Fact]
    public async Task Run_RanksThatEndTogether_AreRankedTogether()
    {
        var engine = new GatedEngine(Engine(8));
        await using var scheduler = Scheduler(engine);
        var plug = scheduler.RunAsync(Sequence(0));
        await engine.StandsBeforeStepAsync();
        var ranks = Enumerable.Range(1, 5).Select(item => scheduler.RunAsync(new BatchRequest { Items = [item], Behaviors = [0], RankK = 3 }).AsTask()).ToArray();
        engine.Open();
        Assert.Null(await plug);
        Assert.All(await Task.WhenAll(ranks), Assert.Null);
        Assert.Equal([5], engine.Ranks);
    }

    [Fact]
    public async Task Step_EngineThrows_FailsThatBatchAloneAndGoesOn()
    {
        var engine = new GatedEngine(Engine(2)) { FailsOn = items => items.Contains(13) };
        engine.Open();
        await using var scheduler = Scheduler(engine);
        Assert.Null(await scheduler.RunAsync(Sequence(1)));
        for (var i = 0; i < 5; i++)
            Assert.Same(Rejection.EngineFault, await scheduler.RunAsync(Sequence(1, 13, 2)));
        Assert.Equal(5, _faults.Count);
        Assert.Null(await scheduler.RunAsync(Sequence(1)));
        Assert.Equal(2, engine.FreeSlots);
    }

    [Fact]
    public async Task Rank_EngineThrows_FailsThoseThatRankAlone()
    {
        var engine = new GatedEngine(Engine(4)) { FailsToRank = true };
        await using var scheduler = Scheduler(engine);
        var ranked = scheduler.RunAsync(new BatchRequest { Items = [1, 2], Behaviors = [0, 0], RankK = 3 });
        await engine.StandsBeforeStepAsync();
        var scored = scheduler.RunAsync(new BatchRequest { Items = [1], Behaviors = [0], Candidates = [4] });
        engine.Open();
        Assert.Same(Rejection.EngineFault, await ranked);
        Assert.Null(await scored);
        Assert.Equal(1, _faults.Count);
    }

    [Fact]
    public async Task Dispose_WorkTaken_IsDrainedAndNewIsRefused()
    {
        var engine = new GatedEngine(Engine(1));
        var scheduler = Scheduler(engine);
        var running = scheduler.RunAsync(Sequence(1, 2));
        await engine.StandsBeforeStepAsync();
        var queued = scheduler.RunAsync(Sequence(3));
        var ending = scheduler.DisposeAsync();
        Assert.Same(Rejection.ShuttingDown, await scheduler.RunAsync(Sequence(4)));
        engine.Open();
        await ending;
        Assert.Null(await running);
        Assert.Null(await queued);
        Assert.Equal([[1], [2], [3]], engine.Steps);
        Assert.Equal(1, engine.Disposals);
        await scheduler.DisposeAsync();
        Assert.Equal(1, engine.Disposals);
    }

    [Fact]
    public async Task Dispose_DrainTimeoutPassed_RefusesTheRest()
    {
        var engine = new GatedEngine(Engine(1));
        var scheduler = Scheduler(engine);
        var running = scheduler.RunAsync(Sequence(1, 2));
        await engine.StandsBeforeStepAsync();
        var queued = scheduler.RunAsync(Sequence(3));
        var ending = scheduler.DisposeAsync();
        _time.Advance(TimeSpan.FromSeconds(20));
        engine.Open();
        await ending;
        Assert.Same(Rejection.ShuttingDown, await running);
        Assert.Same(Rejection.ShuttingDown, await queued);
        Assert.Equal([[1]], engine.Steps);
    }

    [Fact]
    public async Task Run_ManyCallers_AllAreAnsweredAndSlotsComeBack()
    {
        var engine = Engine(4);
        await using var scheduler = Scheduler(engine, maxBatch: 3);
        var rejections = await Task.WhenAll(Enumerable.Range(0, 8).Select(caller => Task.Run(async () =>
        {
            var random = new Random(caller);
            for (var i = 0; i < 200; i++)
            {
                var rejection = await scheduler.RunAsync(Sequence([.. Enumerable.Range(0, random.Next(6)).Select(_ => random.Next(ArtifactFixture.CatalogSize))]));
                if (rejection is not null)
                    return rejection;
            }

            return null;
        })));
        Assert.All(rejections, Assert.Null);
        Assert.Equal(4, engine.FreeSlots);
        Assert.Equal(0, _faults.Count);
    }

    private static IStepEngine Engine(int slots) =>
        StepEngineFactory.Create(ArtifactFixture.Create(), new EngineOptions { Kind = EngineKind.Scalar, SlotCapacity = slots });

    /// <summary>A step at a time, so that each stands in the engine's record.</summary>
    private BatchScheduler Scheduler(IStepEngine engine, int maxBatch = 64, int queue = 4_096, int chunk = 1) =>
        new(Pool(), [engine], "shop/v1", new BatchSchedulerOptions { MaxBatchSize = maxBatch, QueueCapacity = queue, ChunkEvents = chunk }, _time, _faults);

    private ComputePool Pool(int threads = 1)
    {
        _pools.Add(new ComputePool(new ComputePoolOptions { Threads = threads }));
        return _pools[^1];
    }

    private static BatchRequest Sequence(params int[] items) => new() { Items = items, Behaviors = new int[items.Length] };

    private static BatchRequest Everything(int[] items) => new()
    {
        Items = items,
        Behaviors = Array.ConvertAll(items, item => item % ArtifactFixture.Behaviors.Count),
        Candidates = [0, 5, 5, 39],
        WantsSequenceScores = true,
        RankK = 7,
        RankExcluded = [2, 3],
    };
}
