namespace GrpcRec.Serving.Batching;

/// <summary>Timestamps of one provider, with sums that do not overflow.</summary>
internal sealed class Clock(TimeProvider time)
{
    public long Now => time.GetTimestamp();

    public TimeSpan Between(long from, long to) => time.GetElapsedTime(from, to);

    /// <summary><see cref="long.MaxValue"/> where the sum is past it.</summary>
    public long After(long timestamp, TimeSpan delay)
    {
        var ticks = delay.TotalSeconds * time.TimestampFrequency;
        return ticks >= long.MaxValue - timestamp ? long.MaxValue : timestamp + (long)ticks;
    }
}
