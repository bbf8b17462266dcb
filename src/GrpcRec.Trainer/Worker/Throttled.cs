namespace GrpcRec.Trainer.Worker;

static class Throttled
{
    /// <summary>Messages a second are for people; more would only cost the work time.</summary>
    public static readonly TimeSpan ForPeople = TimeSpan.FromMilliseconds(200);
}

/// <summary>Passes on the first report and then at most one in each interval.</summary>
sealed class Throttled<T>(TimeProvider clock, TimeSpan interval, Action<T> handler) : IProgress<T>
{
    private long _last;

    public void Report(T value)
    {
        var now = clock.GetTimestamp();
        if (_last != 0 && clock.GetElapsedTime(_last, now) < interval)
            return;
        _last = now;
        handler(value);
    }
}
