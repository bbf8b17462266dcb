using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Tests.Cpu.Catalog;

/// <summary>
/// Helpers whose turns are drawn by a seed: some run to a random number of parts before the sharing thread begins, some come beside it on
/// threads of their own and go again, so that parts are split in every way.
/// </summary>
internal sealed class RandomHelpers(int seed) : ISpareThreads, IDisposable
{
    private readonly Random _random = new(seed);
    private readonly List<Thread> _threads = [];

    public int Invitations { get; private set; }

    /// <summary>Parts that helpers took, but for those of threads that have not ended.</summary>
    public int Helped => _helped;

    private int _helped;

    public void Invite(SharedWork work, int most)
    {
        Invitations++;
        foreach (var _ in Enumerable.Range(0, _random.Next(Math.Min(most, 3) + 1)))
            Help(work, _random.Next(1, 6));
        foreach (var _ in Enumerable.Range(0, _random.Next(Math.Min(most, 3) + 1)))
        {
            var parts = _random.Next(1, 50);
            var thread = new Thread(() => Help(work, parts)) { IsBackground = true };
            _threads.Add(thread);
            thread.Start();
        }
    }

    public void Dispose() => _threads.ForEach(thread => thread.Join());

    private void Help(SharedWork work, int parts) => work.Help(() =>
    {
        Interlocked.Increment(ref _helped);
        return --parts == 0;
    });
}
