namespace GrpcRec.Engine.Steps;

/// <summary>
/// Work cut into parts, each taken by whichever thread is free for it. The thread that shares it takes parts like any other and never
/// waits for a thread to come, only for the parts that others have begun; so it cannot hang, and a helper that comes late or goes early
/// costs nothing. Who takes which part is chance: the result must not depend on it.
/// </summary>
public abstract class SharedWork
{
    /// <summary>Threads beside the one that shares: a scan is then bound by memory in any case.</summary>
    public const int MaxHelpers = 7;

    private const int Closed = 1 << MaxHelpers;

    // A bit for each helper that is inside, and one that says that nobody may come in. What a run's fields hold is published by opening it.
    private int _state = Closed;
    private int _parts, _next;
    private Exception? _failure;

    /// <summary>Takes parts until none is left, or until the thread is wanted elsewhere. Does nothing when the work is done already.</summary>
    /// <param name="isWanted">Asked after each part.</param>
    public void Help(Func<bool> isWanted)
    {
        ArgumentNullException.ThrowIfNull(isWanted);
        if (!TryEnter(out var helper))
            return;
        try
        {
            while (TryTake(out var part))
            {
                Run(part, helper);
                if (isWanted())
                    break;
            }
        }
#pragma warning disable CA1031 // Whatever it was, the thread that shares throws it on: here it would end the process.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Volatile.Write(ref _failure, exception);
            TakeAll();
        }
        finally
        {
            Interlocked.And(ref _state, ~(1 << (helper - 1)));
        }
    }

    /// <summary>Runs all parts and returns when they are done. One thread at a time shares.</summary>
    /// <exception cref="EngineException">A part failed on a helper's thread.</exception>
    protected void Share(int parts, ISpareThreads threads)
    {
        ArgumentNullException.ThrowIfNull(threads);
        (_parts, _next, _failure) = (parts, 0, null);
        Volatile.Write(ref _state, 0);
        try
        {
            threads.Invite(this, Math.Min(parts - 1, MaxHelpers));
            while (TryTake(out var part))
                Run(part, 0);
        }
        finally
        {
            TakeAll();
            Close();
        }

        if (_failure is { } failure)
            throw new EngineException("a part of the work failed on a helping thread", failure);
    }

    /// <param name="helper">0: the thread that shares; 1…<see cref="MaxHelpers"/>: no two threads at once with the same.</param>
    protected abstract void Run(int part, int helper);

    private bool TryEnter(out int helper)
    {
        while (true)
        {
            var state = Volatile.Read(ref _state);
            var free = System.Numerics.BitOperations.TrailingZeroCount(~state);
            helper = free + 1;
            if ((state & Closed) != 0 || free >= MaxHelpers)
                return false;
            if (Interlocked.CompareExchange(ref _state, state | (1 << free), state) == state)
                return true;
        }
    }

    private bool TryTake(out int part)
    {
        // Looked at first, so that no number of helpers can count it past the end of the integers.
        part = Volatile.Read(ref _next) < _parts ? Interlocked.Increment(ref _next) - 1 : _parts;
        return part < _parts;
    }

    private void TakeAll() => Interlocked.Exchange(ref _next, _parts);

    /// <summary>Lets nobody in any more, and waits for those inside: each has at most the rest of one part to do.</summary>
    private void Close()
    {
        Interlocked.Or(ref _state, Closed);
        var wait = new SpinWait();
        while (Volatile.Read(ref _state) != Closed)
            wait.SpinOnce(sleep1Threshold: -1);
    }
}
