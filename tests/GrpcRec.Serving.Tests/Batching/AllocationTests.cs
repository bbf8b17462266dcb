using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Batching;

namespace GrpcRec.Serving.Tests.Batching;

public sealed class AllocationTests
{
    private const int ArrayHeader = 24;
    private const int Requests = 200;

    /// <summary>Waking the caller is a work item of the thread pool.</summary>
    private const int WakingBytes = 64;

    /// <summary>The query that the engine is handed.</summary>
    private const int QueryBytes = 72;

    [Fact]
    public async Task Run_Score_AllocatesItsAnswerAlone()
    {
        var engine = Engine();
        var answer = (sizeof(float) * 10 * engine.CandidateWidth) + (sizeof(float) * engine.SequenceWidth) + (2 * ArrayHeader);
        var perRequest = await MeasureAsync(engine, () => new BatchRequest
        {
            Items = [1, 2, 3, 4, 5, 6, 7],
            Behaviors = [0, 1, 2, 0, 1, 2, 0],
            Candidates = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
            WantsSequenceScores = true,
        });
        Assert.InRange(perRequest, answer, answer + WakingBytes);
    }

    [Fact]
    public async Task Run_RankWithScores_AllocatesItsAnswerAndOneQuery()
    {
        var engine = Engine();
        const int K = 20;
        var answer = (8 * K) + (sizeof(float) * K * engine.CandidateWidth) + (2 * ArrayHeader);
        var perRequest = await MeasureAsync(engine, () => new BatchRequest { Items = [1, 2, 3], Behaviors = [0, 1, 2], RankK = K, ScoreRanked = true });
        Assert.InRange(perRequest, answer, answer + WakingBytes + QueryBytes);
    }

    [Fact]
    public async Task Run_ScoreWithFeatures_AllocatesItsAnswerAlone()
    {
        var manifest = ArtifactFixture.Manifest("shop", "v1") with
        {
            EventFeatures = [new() { Name = "gap", Source = FeatureSource.TimeGap, EmbeddingSize = 2, Boundaries = [10] }],
            RequestFeatures = [new() { Name = "tab", EmbeddingSize = 3, Values = ["home", "search"] }],
        };
        var artifact = ModelArtifact.Create(manifest, ArtifactFixture.Items(), ArtifactFixture.Weights(manifest, seed: 1));
        var engine = new MeteredEngine(StepEngineFactory.Create(artifact, new EngineOptions { SlotCapacity = 4 }));
        var answer = (sizeof(float) * 10 * engine.CandidateWidth) + ArrayHeader;
        var perRequest = await MeasureAsync(engine, () => new BatchRequest
        {
            Items = [1, 2, 3],
            Behaviors = [0, 8, 5],
            RequestFeatures = [2],
            Candidates = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        });
        Assert.InRange(perRequest, answer, answer + WakingBytes);
    }

    /// <summary>Bytes a request on the worker's thread, once everything that is made on first use is made.</summary>
    private static async Task<double> MeasureAsync(MeteredEngine engine, Func<BatchRequest> create)
    {
        await using var pool = new ComputePool(new ComputePoolOptions { Threads = 1 });
        await using var scheduler = new BatchScheduler(pool, [engine], "shop/v1", new BatchSchedulerOptions(), TimeProvider.System);
        for (var i = 0; i < Requests; i++)
            Assert.Null(await scheduler.RunAsync(create()));
        var before = engine.AllocatedBytes;
        for (var i = 0; i < Requests; i++)
            Assert.Null(await scheduler.RunAsync(create()));
        return (engine.AllocatedBytes - before) / (double)Requests;
    }

    private static MeteredEngine Engine() => new(StepEngineFactory.Create(ArtifactFixture.Create(), new EngineOptions { SlotCapacity = 4 }));
}
