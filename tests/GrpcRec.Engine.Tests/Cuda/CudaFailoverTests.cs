using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;
using Microsoft.Extensions.Time.Testing;

namespace GrpcRec.Engine.Tests.Cuda;

/// <summary>Coming back from a loss, on an engine that is lost and made as the test wants it: no driver.</summary>
public sealed class CudaFailoverTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30), Second = TimeSpan.FromMilliseconds(1_001);

    private readonly ModelArtifact _model = RandomModel.Create(new ModelShape(4));
    private readonly FakeTimeProvider _time = new();
    private readonly EngineHealth _health = new();
    private readonly List<LosableEngine> _made = [];
    private Func<LosableEngine>? _next;

    [Fact]
    public async Task Retry_MakingTakesLong_NobodyElseWaits()
    {
        using var engine = Lost(() => throw new EngineException("not yet"));
        using var isMaking = new SemaphoreSlim(0);
        using var mayGoOn = new SemaphoreSlim(0);
        _next = () =>
        {
            isMaking.Release();
            mayGoOn.Wait();
            return Make();
        };
        var timer = Task.Run(() => _time.Advance(Second));
        Assert.True(await isMaking.WaitAsync(Patience));
        try
        {
            await Task.Run(() =>
            {
                Assert.Equal(0, engine.FreeSlots);
                Assert.True(engine.IsLost);
                Assert.False(engine.TryRent(out _));
            }).WaitAsync(Patience);
        }
        finally
        {
            mayGoOn.Release();
        }

        await timer.WaitAsync(Patience);
        Assert.True(engine.TryRent(out _));
        Assert.False(_health.IsLost);
    }

    [Fact]
    public void Retry_AnythingIsThrown_StaysOnTheTimerAndIsTriedAgain()
    {
        var attempts = 0;
        using var engine = Lost(() =>
        {
            attempts++;
            throw new InvalidOperationException("planted fault");
        });
        _time.Advance(Second);
        _time.Advance(Second);
        Assert.Equal(3, attempts);
        Assert.True(_health.IsLost);

        // Who is told of health may fail too.
        void Complain(string? what) => throw new InvalidOperationException("planted fault");
        _health.Changed += Complain;
        _time.Advance(Second);
        Assert.Equal(4, attempts);
        _health.Changed -= Complain;
        _next = Make;
        _time.Advance(Second);
        Assert.True(engine.TryRent(out _));
        Assert.False(_health.IsLost);

        // Made once, and no more.
        var made = _made.Count;
        _time.Advance(10 * Second);
        Assert.Equal(made, _made.Count);
    }

    [Fact]
    public void Health_EngineLetGo_KnowsNothingOfItAnyMore()
    {
        Assert.False(_health.HasEngines);
        var options = StandIn.Options(new CudaOptions { Health = _health, Time = _time, OnLoss = DeviceLossAction.Cpu }, slots: 2);
        using (var other = new CudaFailover(_model, options, Make))
        {
            using (var engine = new CudaFailover(_model, options, Make))
            {
                _made[1].IsLost = true;
                Assert.True(engine.TryRent(out _));
                Assert.True(_health.IsDegraded);
            }

            Assert.False(_health.IsDegraded);
            Assert.True(_health.HasEngines);
        }

        Assert.False(_health.HasEngines);
    }

    [Fact]
    public async Task Dispose_WhileOneIsMade_DoesNotWaitAndLeavesNothing()
    {
        var engine = Lost(() => throw new EngineException("not yet"));
        using var isMaking = new SemaphoreSlim(0);
        using var mayGoOn = new SemaphoreSlim(0);
        _next = () =>
        {
            isMaking.Release();
            mayGoOn.Wait();
            return Make();
        };
        var timer = Task.Run(() => _time.Advance(Second));
        Assert.True(await isMaking.WaitAsync(Patience));
        try
        {
            await Task.Run(engine.Dispose).WaitAsync(Patience);
        }
        finally
        {
            mayGoOn.Release();
        }

        await timer.WaitAsync(Patience);
        Assert.All(_made, made => Assert.True(made.IsDisposed));
        Assert.False(_health.IsLost);
    }

    private LosableEngine Make()
    {
        _made.Add(new LosableEngine(StepEngineFactory.Create(_model, new EngineOptions { Kind = EngineKind.Scalar, SlotCapacity = 2 })));
        return _made[^1];
    }

    /// <summary>Lost, and the first attempt to come back is <paramref name="then"/>.</summary>
    private CudaFailover Lost(Func<LosableEngine> then)
    {
        _next = Make;
        var engine = new CudaFailover(_model, StandIn.Options(new CudaOptions { Health = _health, Time = _time }, slots: 2), () => _next());
        _next = then;
        _made[0].IsLost = true;
        Assert.False(engine.TryRent(out _));
        Assert.True(_health.IsLost);
        return engine;
    }
}
