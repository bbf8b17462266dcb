using GrpcRec.Server.Jobs;
using GrpcRec.V1;
using Microsoft.Extensions.Time.Testing;

namespace GrpcRec.Server.Tests.Jobs;

public class TrainingJobTests
{
    static TrainingJob NewJob(int watchers = 4) => new(new(), new() { TrainingId = "t", State = TrainingState.Running }, watchers);

    [Fact]
    public async Task Watch_SlowReader_GetsTheLatestAndNeverHoldsUpTheJob()
    {
        var job = NewJob();
        using var watcher = job.TryWatch().Value!;
        await using var states = watcher.ReadAsync(CancellationToken.None).GetAsyncEnumerator();
        Assert.True(await states.MoveNextAsync());
        for (var step = 1; step <= 1_000; step++) job.Update(training => training.Progress = new() { Step = step });
        Assert.True(await states.MoveNextAsync());
        Assert.Equal(1_000, states.Current.Progress.Step);
        job.End(TrainingState.Succeeded, "", DateTimeOffset.UnixEpoch);
        Assert.True(await states.MoveNextAsync());
        Assert.Equal(TrainingState.Succeeded, states.Current.State);
        Assert.False(await states.MoveNextAsync());
    }

    [Fact]
    public async Task Watch_EndedJob_GivesItsEndAlone()
    {
        var job = NewJob();
        job.End(TrainingState.Failed, "why", DateTimeOffset.UnixEpoch);
        var seen = new List<Training>();
        await foreach (var training in job.ReadAsync(CancellationToken.None)) seen.Add(training);
        Assert.Equal("why", Assert.Single(seen).Error);
    }

    [Fact]
    public void TryWatch_AllPlacesTaken_IsRefusedUntilOneIsGivenBack()
    {
        var job = NewJob(watchers: 1);
        var first = job.TryWatch().Value!;
        Assert.Equal("TOO_MANY_WATCHERS", job.TryWatch().Rejection!.Reason);
        first.Dispose();
        first.Dispose();
        using var second = job.TryWatch().Value!;
        Assert.NotNull(job.TryWatch().Rejection);
    }

    [Fact]
    public void End_Twice_KeepsTheFirst()
    {
        var job = NewJob();
        job.End(TrainingState.Cancelled, "", DateTimeOffset.UnixEpoch);
        Assert.Null(job.End(TrainingState.Succeeded, "", DateTimeOffset.UnixEpoch));
        Assert.Equal(TrainingState.Cancelled, job.Current.State);
    }

    [Fact]
    public void Clock_WithinOneMillisecond_StampsStayDifferentAndSorted()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
        var clock = new JobClock(time);
        var stamps = Enumerable.Range(0, 100).Select(_ => clock.Next().Stamp).ToArray();
        Assert.StartsWith("20260304-050607-000", stamps[0], StringComparison.Ordinal);
        Assert.Equal(stamps.Order(StringComparer.Ordinal), stamps);
        Assert.Equal(stamps.Length, stamps.Distinct().Count());
    }
}
