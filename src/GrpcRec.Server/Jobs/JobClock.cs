using System.Globalization;
using System.Security.Cryptography;

namespace GrpcRec.Server.Jobs;

/// <summary>
/// Gives each job a stamp that is its id and its model's version: yyyyMMdd-HHmmss-fffxx, UTC, sorting as text in the order of creation.
/// The milliseconds never repeat within a server; the two random digits keep two servers with one model store apart.
/// </summary>
public sealed class JobClock(TimeProvider time)
{
    readonly Lock _lock = new();
    long _lastMs;

    public (DateTimeOffset Now, string Stamp) Next()
    {
        lock (_lock)
        {
            var now = time.GetUtcNow();
            _lastMs = Math.Max(_lastMs + 1, now.ToUnixTimeMilliseconds());
            var stamped = DateTimeOffset.FromUnixTimeMilliseconds(_lastMs);
            return (now, stamped.ToString("yyyyMMdd-HHmmss-fff", CultureInfo.InvariantCulture) + RandomNumberGenerator.GetHexString(2, lowercase: true));
        }
    }
}
