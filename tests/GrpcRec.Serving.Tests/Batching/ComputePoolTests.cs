using System.Collections.Concurrent;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Batching;

namespace GrpcRec.Serving.Tests.Batching;

/// <summary>Workers that help each other's engines: only when they have nothing to do, and never so that anybody waits for them.</summary>
public sealed class ComputePoolTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Invite_IdleWorkers_TakePartsUntilNoneIsLeft()
    {
        await using var pool = new ComputePool(new ComputePoolOptions { Threads = 2 });
        var work = new Parts();
        // A worker may not sleep yet: it is asked again with the next work.
        for (var attempt = 0; attempt < 1_000 && work.HelperThreads.Count < 2; attempt++)
            work.Run(20, pool, awaited: 2);
        Assert.Equal(2, work.HelperThreads.Count);
        Assert.All(work.HelperThreads, name => Assert.StartsWith("compute ", name));
    }

    [Fact]
    public async Task Invite_WorkerIsBusy_WorkIsDoneWithoutIt()
    {
        await using var pool = new ComputePool(new ComputePoolOptions { Threads = 1 });
        var engine = Gated();
        await using var scheduler = Scheduler(pool, engine);
        var running = scheduler.RunAsync(Sequence());
        await engine.StandsBeforeStepAsync();

        var work = new Parts();
        work.Run(20, pool);
        Assert.Equal(20, work.Done);
        Assert.Empty(work.HelperThreads);
        engine.Open();
        Assert.Null(await running);
    }

    [Fact]
    public async Task Help_OwnRequestComes_WorkerLeavesForItAfterThePart()
    {
        await using var pool = new ComputePool(new ComputePoolOptions { Threads = 1 });
        var engine = Gated();
        engine.Open();
        await using var scheduler = Scheduler(pool, engine);
        Task<Rejection?>? answer = null;
        var wentOn = 0;
        var work = new Parts
        {
            // The helper's first part brings its own worker a request. The sharing thread then waits for the answer, with parts left to take.
            HelpersPart = () =>
            {
                if (answer is null)
                    Volatile.Write(ref answer, scheduler.RunAsync(Sequence()).AsTask());
                else if (!answer.IsCompleted)
                    wentOn++;
            },
            OwnPart = () =>
            {
                if (Volatile.Read(ref answer) is { } own)
                    Assert.True(own.Wait(Patience), "the worker does not come to its own request");
            },
        };
        for (var attempt = 0; attempt < 1_000 && answer is null; attempt++)
            work.Run(20, pool, awaited: 1);
        Assert.NotNull(answer);
        Assert.Null(await answer);
        Assert.Equal(0, wentOn);
    }

    [Fact]
    public async Task Run_RankingsOnBothWorkersAtOnce_GiveTheBitsOfAlone()
    {
        const int catalog = 20_000, callers = 6, each = 15;
        var manifest = ArtifactFixture.Manifest("shop", "v1", [ArtifactFixture.AllTasks[1]]) with { CatalogSize = catalog };
        var artifact = ModelArtifact.Create(
            manifest, new ItemCatalog([.. Enumerable.Range(0, catalog).Select(item => new CatalogItem(ArtifactFixture.ItemId(item), 1, -1))]), ArtifactFixture.Weights(manifest, 3));
        foreach (var scan in new[] { ScanKind.Float32, ScanKind.Int8 })
        {
            await using var pool = new ComputePool(new ComputePoolOptions { Threads = 2 });
            var options = new EngineOptions { Kind = EngineKind.Cpu, SlotCapacity = 40, Scan = scan };
            using var alone = StepEngineFactory.Create(artifact, options);
            await using var scheduler = new BatchScheduler(
                pool, [.. Enumerable.Range(0, 2).Select(_ => StepEngineFactory.Create(artifact, options with { SpareThreads = pool }))], "shop/v1", new BatchSchedulerOptions(), TimeProvider.System);
            var requests = await Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(async () =>
            {
                var answered = new List<BatchRequest>();
                for (var i = 0; i < each; i++)
                {
                    var request = new BatchRequest { Items = [(caller * each) + i, i], Behaviors = [0, 0], RankK = 1 + (i * 9), RankExcluded = [1, 5, catalog - 1] };
                    Assert.Null(await scheduler.RunAsync(request).AsTask().WaitAsync(Patience));
                    answered.Add(request);
                }

                return answered;
            })));
            foreach (var request in requests.SelectMany(answered => answered))
            {
                Assert.True(alone.TryRent(out var slot));
                alone.Advance([new EventRun(slot, 0, 2)], request.Items, request.Behaviors);
                var query = new RankQuery { Slot = slot, K = request.RankK, Excluded = request.RankExcluded };
                alone.Rank([query]);
                alone.Return(slot);
                Assert.Equal(query.Result, request.Ranked);
            }
        }
    }

    private static GatedEngine Gated() => new(StepEngineFactory.Create(ArtifactFixture.Create(), new EngineOptions { Kind = EngineKind.Scalar, SlotCapacity = 2 }));

    private static BatchScheduler Scheduler(ComputePool pool, IStepEngine engine) => new(pool, [engine], "shop/v1", new BatchSchedulerOptions(), TimeProvider.System);

    private static BatchRequest Sequence() => new() { Items = [1], Behaviors = [0], WantsSequenceScores = true };

    /// <summary>Work that notes who did it.</summary>
    private sealed class Parts : SharedWork
    {
        private readonly ConcurrentDictionary<string, bool> _helpers = [];
        private int _done;
        private int _awaited;

        public int Done => _done;

        public ICollection<string> HelperThreads => _helpers.Keys;

        public Action HelpersPart { get; init; } = () => { };

        public Action OwnPart { get; init; } = () => { };

        /// <param name="awaited">Own parts take a while until so many threads have helped, so that they have time to wake up.</param>
        public void Run(int parts, ISpareThreads threads, int awaited = 0)
        {
            _awaited = awaited;
            Share(parts, threads);
        }

        protected override void Run(int part, int helper)
        {
            Interlocked.Increment(ref _done);
            if (helper > 0)
            {
                _helpers[Thread.CurrentThread.Name ?? ""] = true;
                HelpersPart();
                return;
            }

            SpinWait.SpinUntil(() => _helpers.Count >= _awaited, TimeSpan.FromMilliseconds(5));
            OwnPart();
        }
    }
}
