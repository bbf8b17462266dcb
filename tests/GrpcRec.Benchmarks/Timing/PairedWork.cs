using System.Diagnostics;

namespace GrpcRec.Benchmarks.Timing;

/// <summary>
/// A second thread that waits spinning for its half of a call: what a compute pool does, without the price of waking a thread each time.
/// After a millisecond without work it sleeps, so that it takes no core from the other contestants.
/// </summary>
public sealed class PairedWork : IDisposable
{
    private static readonly long PatienceTicks = Stopwatch.Frequency / 1000;

    private readonly Thread _thread;
    private readonly SemaphoreSlim _wake = new(0);
    private volatile Action? _work;
    private volatile bool _stop;
    private volatile Exception? _failure;
    private int _asleep;

    public PairedWork()
    {
        _thread = new Thread(Loop) { IsBackground = true, Name = "benchmark's second thread" };
        _thread.Start();
    }

    /// <summary>Runs both at once and waits for both.</summary>
    public void Run(Action mine, Action other)
    {
        ArgumentNullException.ThrowIfNull(mine);
        _work = other;
        Wake();
        try
        {
            mine();
        }
        finally
        {
            while (_work is not null)
                Thread.SpinWait(4);
        }

        if (_failure is { } failure)
            throw new InvalidOperationException("the second thread's half failed", failure);
    }

    public void Dispose()
    {
        _stop = true;
        Wake();
        _thread.Join();
        _wake.Dispose();
    }

    private void Wake()
    {
        // A full fence both here and where it falls asleep: one of the two sees the other.
        if (Interlocked.Exchange(ref _asleep, 0) == 1)
            _wake.Release();
    }

    private void Loop()
    {
        var idleSince = Stopwatch.GetTimestamp();
        while (!_stop)
        {
            if (_work is { } work)
            {
                Attempt(work);
                _work = null;
                idleSince = Stopwatch.GetTimestamp();
            }
            else if (Stopwatch.GetTimestamp() - idleSince < PatienceTicks)
            {
                Thread.SpinWait(8);
            }
            else
            {
                Interlocked.Exchange(ref _asleep, 1);
                if (_work is null && !_stop)
                    _wake.Wait();
                else if (Interlocked.Exchange(ref _asleep, 0) == 0)
                    _wake.Wait(); // The waker was there first: its release is on the way and must not wake the next sleep.
                idleSince = Stopwatch.GetTimestamp();
            }
        }
    }

    private void Attempt(Action work)
    {
        try
        {
            work();
        }
#pragma warning disable CA1031 // Whatever it was, the caller throws it on.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            _failure = failure;
        }
    }
}
