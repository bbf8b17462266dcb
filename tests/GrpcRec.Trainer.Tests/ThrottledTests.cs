using GrpcRec.Trainer.Worker;

namespace GrpcRec.Trainer.Tests;

public sealed class ThrottledTests
{
    [Fact]
    public void Report_WithinTheInterval_PassesTheFirstAndEveryTurn()
    {
        var clock = new StoppedClock();
        List<string> passed = [];
        var throttled = new Throttled<string>(clock, TimeSpan.FromMilliseconds(200), passed.Add, (last, next) => last[0] != next[0]);
        foreach (var report in new[] { "a1", "a2", "b1", "b2", "c1" })
            throttled.Report(report);
        Assert.Equal(["a1", "b1", "c1"], passed);

        clock.Milliseconds += 199;
        throttled.Report("c2");
        clock.Milliseconds += 1;
        throttled.Report("c3");
        throttled.Report("c4");
        Assert.Equal(["a1", "b1", "c1", "c3"], passed);
    }

    [Fact]
    public void Report_WithoutTurns_PassesOneInEachInterval()
    {
        var clock = new StoppedClock();
        List<int> passed = [];
        var throttled = new Throttled<int>(clock, TimeSpan.FromMilliseconds(200), passed.Add);
        for (var n = 0; n < 10; n++)
        {
            throttled.Report(n);
            clock.Milliseconds += 100;
        }

        Assert.Equal([0, 2, 4, 6, 8], passed);
    }

    /// <summary>Goes on only when it is told to.</summary>
    private sealed class StoppedClock : TimeProvider
    {
        public long Milliseconds { get; set; }

        public override long TimestampFrequency => 1_000;

        public override long GetTimestamp() => Milliseconds;
    }
}
