namespace GrpcRec.Trainer.Worker;

static class Throttled
{
    /// <summary>Messages a second are for people; more would only cost the work time.</summary>
    public static readonly TimeSpan ForPeople = TimeSpan.FromMilliseconds(200);
}

/// <summary>Passes on the first report, then at most one in each interval, and whatever must not be missed.</summary>
/// <param name="isTurn">Told the report passed on last and the one at hand: true, this one is passed on at once. Null: none must be.</param>
sealed class Throttled<T>(TimeProvider clock, TimeSpan interval, Action<T> handler, Func<T, T, bool>? isTurn = null) : IProgress<T>
{
    private (long Time, T Value)? _last;

    public void Report(T value)
    {
        var now = clock.GetTimestamp();
        if (_last is { } last && clock.GetElapsedTime(last.Time, now) < interval && isTurn?.Invoke(last.Value, value) != true)
            return;
        _last = (now, value);
        handler(value);
    }
}
