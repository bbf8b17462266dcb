using System.Globalization;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cuda.Driver;

/// <summary>Bytes of device memory that an engine and its model may take together. A model that would not fit is refused before it is half loaded.</summary>
/// <param name="limit">Bytes.</param>
internal sealed class DeviceBudget(long limit)
{
    private long _taken;

    public long Limit => limit;

    public long Taken => Interlocked.Read(ref _taken);

    public long Left => limit - Taken;

    /// <exception cref="EngineException">More than the budget.</exception>
    public void Take(long bytes, string what)
    {
        var taken = Interlocked.Add(ref _taken, bytes);
        if (taken <= limit)
            return;
        Interlocked.Add(ref _taken, -bytes);
        throw new EngineException(
            $"{what} takes {MiB(bytes)} of device memory; of the budget of {MiB(limit)} there is {MiB(limit - taken + bytes)} left: raise --cuda-memory, lower --slots, or run with --engine cpu");
    }

    public void Give(long bytes) => Interlocked.Add(ref _taken, -bytes);

    public static string MiB(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (1024.0 * 1024.0):F1} MiB");
}
