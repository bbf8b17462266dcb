namespace GrpcRec.Benchmarks.Timing;

/// <summary>
/// A second thread that waits spinning for its half of a call: what a compute pool does, without the price of waking a thread each time.
/// Its core stays busy between calls, so it lives only while two-thread contestants are timed.
/// </summary>
public sealed class PairedWork : IDisposable
{
    private readonly Thread _thread;
    private volatile Action? _work;
    private volatile bool _stop;
    private volatile Exception? _failure;

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
        _thread.Join();
    }

    private void Loop()
    {
        var idle = new SpinWait();
        while (!_stop)
        {
            if (_work is not { } work)
            {
                // A library under test may want the core: after some spinning, give it away.
                if (idle.Count < 1000)
                    Thread.SpinWait(8);
                idle.SpinOnce(sleep1Threshold: -1);
                continue;
            }

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

            idle.Reset();
            _work = null;
        }
    }
}
