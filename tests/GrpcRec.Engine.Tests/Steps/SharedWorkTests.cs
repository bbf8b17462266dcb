using CsCheck;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Cpu.Catalog;

namespace GrpcRec.Engine.Tests.Steps;

public sealed class SharedWorkTests
{
    [Fact]
    public void Share_AnyHelpers_RunsEachPartOnceAndReturnsWhenAllAreDone()
    {
        var helped = 0;
        Gen.Select(Gen.Int[0, 200], Gen.Int[1, 5], Gen.Int[0, 1_000_000]).Sample(
            (parts, rounds, seed) =>
            {
                using var helpers = new RandomHelpers(seed);
                var work = new Counting();
                for (var round = 0; round < rounds; round++)
                    Assert.All(work.Count(parts, helpers), count => Assert.Equal(1, count));
                Assert.False(work.HasSharedHelpers);
                Interlocked.Add(ref helped, helpers.Helped);
            },
            iter: 200);
        Assert.True(helped > 200, $"helpers took {helped} parts");
    }

    [Fact]
    public void Help_NothingIsShared_ReturnsAtOnce()
    {
        var work = new Counting();
        work.Help(() => throw new InvalidOperationException("no part was there to be taken"));
        work.Count(3, new RandomHelpers(1));
        work.Help(() => throw new InvalidOperationException("no part was there to be taken"));
    }

    [Fact]
    public void Share_PartFailsOnHelper_ThrowsAndCanBeSharedAgain()
    {
        var work = new Counting { FailingHelper = 1 };
        var failure = Assert.Throws<EngineException>(() => work.Count(10, new OneAtOnce()));
        Assert.Equal("planted fault", failure.InnerException?.Message);
        work.FailingHelper = -1;
        Assert.All(work.Count(10, new OneAtOnce()), count => Assert.Equal(1, count));
    }

    [Fact]
    public void Share_OwnPartFails_ThrowsItAndCanBeSharedAgain()
    {
        var work = new Counting { FailingHelper = 0 };
        using var helpers = new RandomHelpers(2);
        Assert.Throws<InvalidOperationException>(() => work.Count(500, helpers));
        work.FailingHelper = -1;
        Assert.All(work.Count(10, helpers), count => Assert.Equal(1, count));
    }

    /// <summary>One helper that takes a part before the sharing thread does.</summary>
    private sealed class OneAtOnce : ISpareThreads
    {
        public void Invite(SharedWork work, int most) => work.Help(() => true);
    }

    private sealed class Counting : SharedWork
    {
        private readonly int[] _inside = new int[MaxHelpers + 1];
        private int[] _counts = [];

        public int FailingHelper { get; set; } = -1;

        /// <summary>Two threads were the same helper at once.</summary>
        public bool HasSharedHelpers { get; private set; }

        /// <returns>[parts] how often each was run.</returns>
        public int[] Count(int parts, ISpareThreads threads)
        {
            _counts = new int[parts];
            Share(parts, threads);
            return _counts;
        }

        protected override void Run(int part, int helper)
        {
            HasSharedHelpers |= Interlocked.Increment(ref _inside[helper]) > 1;
            Interlocked.Increment(ref _counts[part]);
            Thread.SpinWait(20);
            Interlocked.Decrement(ref _inside[helper]);
            if (helper == FailingHelper)
                throw new InvalidOperationException("planted fault");
        }
    }
}
