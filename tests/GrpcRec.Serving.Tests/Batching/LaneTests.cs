using System.Diagnostics;
using CsCheck;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Batching;
using Microsoft.Extensions.Time.Testing;

namespace GrpcRec.Serving.Tests.Batching;

/// <summary>What many threads, models and events a call do to a request: nothing that it can see.</summary>
public sealed class LaneTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ModelArtifact _artifact = ArtifactFixture.Create();
    private readonly FaultCounter _faults = new();
    private readonly List<ComputePool> _pools = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var pool in _pools)
            await pool.DisposeAsync();
    }

    [Theory]
    [InlineData(EngineKind.Auto)]
    [InlineData(EngineKind.Scalar)]
    public async Task Run_AnyThreadsAndChunks_GivesTheBitsOfAlone(EngineKind kind)
    {
        await using var alone = Scheduler([Engine(1, kind)], chunk: 1);
        await Gen.Select(Gen.Int[0, 40].Array[1, 40], Gen.Int[1, 2], Gen.OneOf(Gen.Const(1), Gen.Const(3), Gen.Const(16), Gen.Const(64), Gen.Const(1_000)), Gen.OneOf(Gen.Const(1), Gen.Const(5), Gen.Const(64))).SampleAsync(
            async (lengths, threads, chunk, maxBatch) =>
            {
                await using var company = Scheduler([.. Enumerable.Range(0, threads).Select(_ => Engine(8, kind))], chunk, maxBatch);
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
            iter: 40, threads: 1, seed: "0000KOIKqNe3");
    }

    [Fact]
    public async Task Run_FewSequences_ReadsRunsUpToTheChunk()
    {
        var engine = Gated(4);
        await using var scheduler = Scheduler([engine], chunk: 64, run: 8);
        engine.Open();
        Assert.Null(await scheduler.RunAsync(Sequence(Enumerable.Range(0, 20))));
        Assert.Equal([[0, 1, 2, 3, 4, 5, 6, 7], [8, 9, 10, 11, 12, 13, 14, 15], [16, 17, 18, 19]], engine.Steps);
    }

    [Fact]
    public async Task Run_ShortBesideLong_LeavesWithItsLastEvent()
    {
        var engine = Gated(4);
        await using var scheduler = Scheduler([engine], chunk: 64, run: 12);
        var plug = scheduler.RunAsync(Sequence([0]));
        await engine.StandsBeforeStepAsync();
        var longOne = scheduler.RunAsync(Sequence(Enumerable.Range(10, 20))).AsTask();
        var shortOne = scheduler.RunAsync(Sequence([1, 2])).AsTask();
        engine.Permit(2);
        Assert.Null(await shortOne.WaitAsync(Patience));
        Assert.False(longOne.IsCompleted);
        engine.Open();
        Assert.Null(await plug);
        Assert.Null(await longOne.WaitAsync(Patience));
        Assert.Equal([[0], [10, 11, 1, 2], [.. Enumerable.Range(12, 12)], [.. Enumerable.Range(24, 6)]], engine.Steps);
    }

    [Fact]
    public async Task Run_ManySequences_SharesTheChunkAmongThem()
    {
        var engine = Gated(8);
        await using var scheduler = Scheduler([engine], chunk: 9, run: 8);
        var plug = scheduler.RunAsync(Sequence([0]));
        await engine.StandsBeforeStepAsync();
        Task<Rejection?>[] all =
        [
            scheduler.RunAsync(Sequence([1, 2])).AsTask(),
            scheduler.RunAsync(Sequence([3, 4, 5, 6])).AsTask(),
            scheduler.RunAsync(Sequence([7])).AsTask(),
            scheduler.RunAsync(Sequence([8, 9, 10])).AsTask(),
        ];
        engine.Open();
        Assert.Null(await plug);
        Assert.All(await Task.WhenAll(all).WaitAsync(Patience), Assert.Null);
        Assert.Equal([[0], [1, 2, 3, 4, 7, 8, 9], [5, 6, 10]], engine.Steps);
    }

    [Fact]
    public async Task Run_TwoLanes_GoesWhereFewerEventsArePending()
    {
        var first = Gated(4);
        var second = Gated(4);
        await using var scheduler = Scheduler([first, second]);
        // 1. Nothing is pending: the first lane. 2. 31 there: the second. 3. and 4. 3 and then 8 there, still fewer. 5. 32 there: the first.
        Task<Rejection?>[] all =
        [
            scheduler.RunAsync(Sequence(Enumerable.Repeat(1, 30))).AsTask(),
            scheduler.RunAsync(Sequence([2, 2])).AsTask(),
            scheduler.RunAsync(Sequence(Enumerable.Repeat(3, 4))).AsTask(),
            scheduler.RunAsync(Sequence(Enumerable.Repeat(4, 23))).AsTask(),
            scheduler.RunAsync(Sequence([5])).AsTask(),
        ];
        first.Open();
        second.Open();
        Assert.All(await Task.WhenAll(all).WaitAsync(Patience), Assert.Null);
        Assert.Equal([1, 5], first.Steps.SelectMany(step => step).Distinct().Order());
        Assert.Equal([2, 3, 4], second.Steps.SelectMany(step => step).Distinct().Order());
    }

    [Fact]
    public async Task Run_TwoModelsOneThread_TakeTurns()
    {
        var busy = Gated(8);
        var other = Gated(8);
        var pool = Pool(1);
        await using var first = Scheduler([busy], pool: pool);
        await using var second = Scheduler([other], pool: pool);
        var longs = Enumerable.Range(0, 8).Select(_ => first.RunAsync(Sequence(Enumerable.Repeat(1, 200))).AsTask()).ToArray();
        await busy.StandsBeforeStepAsync();
        var shortOne = second.RunAsync(Sequence([2, 3])).AsTask();
        other.Open();
        // Two turns of the busy model stand at most before and between those of the other, and one more is under way.
        busy.Permit(3);
        Assert.Null(await shortOne.WaitAsync(Patience));
        Assert.All(longs, task => Assert.False(task.IsCompleted));
        busy.Open();
        Assert.All(await Task.WhenAll(longs).WaitAsync(Patience), Assert.Null);
    }

    [Fact]
    public async Task Return_EngineThrows_AnswerStandsAndTheSlotIsTakenBackLater()
    {
        var engine = Gated(2);
        engine.Open();
        await using var scheduler = Scheduler([engine]);
        engine.FailsToReturn = true;
        Assert.Null(await scheduler.RunAsync(Sequence([1])));
        Assert.Null(await scheduler.RunAsync(Sequence([2])));
        Assert.Equal(2, _faults.Count);
        engine.FailsToReturn = false;
        Assert.Null(await scheduler.RunAsync(Sequence([3])));
        await scheduler.DisposeAsync();
        Assert.Equal(2, engine.FreeSlots);
    }

    [Fact]
    public async Task Return_EngineNeverTakesBack_RefusesAndTheOtherLaneAnswers()
    {
        var broken = Gated(1);
        broken.Open();
        broken.FailsToReturn = true;
        await using (var alone = Scheduler([broken]))
        {
            Assert.Null(await alone.RunAsync(Sequence([1])));
            for (var i = 0; i < 3; i++)
                Assert.Same(Rejection.EngineFault, await alone.RunAsync(Sequence([2])).AsTask().WaitAsync(Patience));
        }

        var first = Gated(1);
        first.Open();
        first.FailsToReturn = true;
        await using var both = Scheduler([first, Engine(1)]);
        Assert.Null(await both.RunAsync(Sequence([1])));
        // The fault shows when the lane next wants a slot.
        Assert.Same(Rejection.EngineFault, await both.RunAsync(Sequence([2])).AsTask().WaitAsync(Patience));
        Assert.Null(await both.RunAsync(Sequence([3])).AsTask().WaitAsync(Patience));
    }

    /// <summary>A lane that had no slot that works, and so is passed over, takes part again once its engine has some.</summary>
    [Fact]
    public async Task Run_TwoLanesLostAndBack_BothServeAgain()
    {
        var time = new FakeTimeProvider();
        GatedEngine[] engines = [Gated(4), Gated(4)];
        await using var scheduler = new BatchScheduler(
            Pool(2), engines, "shop/v1", new BatchSchedulerOptions { MaxBatchSize = 64, ChunkEvents = 1, MaxRunEvents = 16 }, time, _faults);
        engines[0].HasLost = engines[1].HasLost = true;
        for (var n = 0; n < 4; n++)
            Assert.Same(Rejection.EngineLost, await scheduler.RunAsync(Sequence([1])).AsTask().WaitAsync(Patience));
        engines[0].HasLost = engines[1].HasLost = false;

        // The first to be back holds a request; the other must get one in the end.
        var all = new List<Task<Rejection?>>();
        try
        {
            foreach (var engine in engines)
            {
                var patience = Stopwatch.StartNew();
                while (!await engine.StandsBeforeStepAsync(TimeSpan.FromMilliseconds(5)))
                {
                    Assert.True(patience.Elapsed < Patience, "a lane never served again");
                    all.Add(scheduler.RunAsync(Sequence([2])).AsTask());
                    time.Advance(TimeSpan.FromMilliseconds(101));
                }
            }
        }
        finally
        {
            foreach (var engine in engines)
                engine.Open();
        }

        await Task.WhenAll(all).WaitAsync(Patience);
        Assert.NotEmpty(engines[0].Steps);
        Assert.NotEmpty(engines[1].Steps);
    }

    [Fact]
    public async Task DisposeOfPool_LanesLeft_EndsThemAndTheirWork()
    {
        var engine = Gated(1);
        var pool = Pool(2);
        var scheduler = Scheduler([engine], pool: pool);
        var running = scheduler.RunAsync(Sequence([1, 2]));
        await engine.StandsBeforeStepAsync();
        var ending = pool.DisposeAsync();
        engine.Open();
        await ending;
        Assert.Null(await running);
        Assert.Equal(1, engine.Disposals);
        Assert.Same(Rejection.ShuttingDown, await scheduler.RunAsync(Sequence([3])));
        Assert.Throws<ObjectDisposedException>(() => Scheduler([Engine(1)], pool: pool));
        await scheduler.DisposeAsync();
    }

    [Fact]
    public async Task Run_ManyCallersTwoThreads_AllAreAnsweredAndSlotsComeBack()
    {
        IStepEngine[] engines = [Engine(3), Engine(2)];
        await using var scheduler = Scheduler(engines, chunk: 5, maxBatch: 2);
        var rejections = await Task.WhenAll(Enumerable.Range(0, 8).Select(caller => Task.Run(async () =>
        {
            var random = new Random(caller);
            for (var i = 0; i < 200; i++)
            {
                if (await scheduler.RunAsync(Sequence(Enumerable.Range(0, random.Next(9)))) is { } rejection)
                    return rejection;
            }

            return null;
        })));
        Assert.All(rejections, Assert.Null);
        Assert.Equal([3, 2], engines.Select(engine => engine.FreeSlots));
        Assert.Equal(0, _faults.Count);
    }

    private IStepEngine Engine(int slots, EngineKind kind = EngineKind.Scalar) =>
        StepEngineFactory.Create(_artifact, new EngineOptions { Kind = kind, SlotCapacity = slots });

    private GatedEngine Gated(int slots) => new(Engine(slots));

    private BatchScheduler Scheduler(IStepEngine[] engines, int chunk = 1, int maxBatch = 64, int run = 16, ComputePool? pool = null) => new(
        pool ?? Pool(engines.Length), engines, "shop/v1",
        // Real threads on the real clock: on a machine that is busy with other things a request may well wait for longer than a second.
        new BatchSchedulerOptions { MaxBatchSize = maxBatch, ChunkEvents = chunk, MaxRunEvents = run, MaxQueueDelay = TimeSpan.FromHours(1) }, TimeProvider.System, _faults);

    private ComputePool Pool(int threads)
    {
        _pools.Add(new ComputePool(new ComputePoolOptions { Threads = threads }));
        return _pools[^1];
    }

    private static BatchRequest Sequence(IEnumerable<int> items)
    {
        int[] list = [.. items];
        return new BatchRequest { Items = list, Behaviors = new int[list.Length] };
    }

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
