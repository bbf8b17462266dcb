using System.Runtime.CompilerServices;
using Google.Protobuf.WellKnownTypes;
using GrpcRec.Serving.Admission;
using GrpcRec.V1;

namespace GrpcRec.Server.Jobs;

/// <summary>
/// One job: what was asked, and the one mutable reference to where it stands, an immutable snapshot that is swapped whole.
/// Watchers wait for the next swap and read the latest snapshot: a slow one misses some in between, and never holds up the job.
/// </summary>
#pragma warning disable CA1001 // The source has no timer and no wait handle, so nothing to dispose; watchers may outlive any owner.
public sealed class TrainingJob
#pragma warning restore CA1001
{
    readonly Lock _lock = new();
    readonly CancellationTokenSource _cancellation = new();
    readonly int _watcherLimit;
    Training _current;
    TaskCompletionSource _changed = NewSignal();
    int _watchers;

    /// <param name="current">Not modified by anyone from here on.</param>
    public TrainingJob(TrainRequest request, Training current, int watcherLimit)
    {
        Request = request;
        _current = current;
        _watcherLimit = watcherLimit;
    }

    public string Id => _current.TrainingId;
    public TrainRequest Request { get; }

    /// <summary>Where it stands. Shared: clone before changing.</summary>
    public Training Current => Volatile.Read(ref _current);

    public bool HasEnded => IsEnd(Current.State);

    /// <summary>Asked to stop, by CancelTraining.</summary>
    public CancellationToken Cancellation => _cancellation.Token;

    public static bool IsEnd(TrainingState state) => state is TrainingState.Succeeded or TrainingState.Failed or TrainingState.Cancelled;

    /// <summary>Swaps the snapshot for a changed copy. An ended job does not change any more.</summary>
    /// <returns>The new snapshot; null when it had ended.</returns>
    public Training? Update(Action<Training> change)
    {
        TaskCompletionSource signal;
        Training next;
        lock (_lock)
        {
            if (IsEnd(_current.State)) return null;
            next = _current.Clone();
            change(next);
            _current = next;
            (signal, _changed) = (_changed, NewSignal());
        }
        signal.SetResult();
        return next;
    }

    /// <summary>Ends it, once.</summary>
    /// <returns>The last snapshot; null when it had ended.</returns>
    public Training? End(TrainingState state, string error, DateTimeOffset now, Action<Training>? change = null) => Update(training =>
    {
        training.State = state;
        training.Error = error;
        training.EndedAt = Timestamp.FromDateTimeOffset(now);
        change?.Invoke(training);
    });

    public void Cancel() => _cancellation.Cancel();

    /// <summary>A place among its watchers, unless all are taken.</summary>
    public Outcome<Watcher> TryWatch()
    {
        if (Interlocked.Increment(ref _watchers) <= _watcherLimit) return new Watcher(this);
        Interlocked.Decrement(ref _watchers);
        return JobRejections.TooManyWatchers(Id, _watcherLimit);
    }

    static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Where it stands now, then each later state that this reader is fast enough to see, to the last.</summary>
    public async IAsyncEnumerable<Training> ReadAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        while (true)
        {
            Training current;
            Task changed;
            lock (_lock) (current, changed) = (_current, _changed.Task);
            yield return current;
            if (IsEnd(current.State)) yield break;
            await changed.WaitAsync(cancellation);
        }
    }

    /// <summary>A counted place among the job's watchers, given back when it is disposed.</summary>
    public sealed class Watcher(TrainingJob job) : IDisposable
    {
        int _disposed;

        public IAsyncEnumerable<Training> ReadAsync(CancellationToken cancellation) => job.ReadAsync(cancellation);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0) Interlocked.Decrement(ref job._watchers);
        }
    }
}
