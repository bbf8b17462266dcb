using GrpcRec.Benchmarks.Suites;
using GrpcRec.Engine.Ranking;

namespace GrpcRec.Benchmarks.Ranking;

/// <summary>Two lists of best items, compared. Items whose scores differ by less than float32's sums may change places.</summary>
public static class RankAgreement
{
    /// <summary>Of a score; sums of 128 products of the order 1 in another order.</summary>
    public const float Tolerance = 2e-5f;

    /// <returns>How many places hold different items, all of them near-ties.</returns>
    /// <exception cref="BenchmarkException">A place's scores differ by more than the sums' rounding.</exception>
    public static int NearTies(IReadOnlyList<RankedItem[]> ours, IReadOnlyList<RankedItem[]> theirs)
    {
        ArgumentNullException.ThrowIfNull(ours);
        ArgumentNullException.ThrowIfNull(theirs);
        var different = 0;
        for (var n = 0; n < theirs.Count; n++)
        {
            if (ours[n].Length != theirs[n].Length)
                throw new BenchmarkException($"query {n}: {ours[n].Length} items of ours where the other gave {theirs[n].Length}");
            for (var place = 0; place < theirs[n].Length; place++)
            {
                var (mine, other) = (ours[n][place], theirs[n][place]);
                if (Math.Abs(mine.Score - other.Score) > Tolerance)
                    throw new BenchmarkException(FormattableString.Invariant($"query {n}, place {place + 1}: ours is item {mine.Item} with {mine.Score}, the other's item {other.Item} with {other.Score}"));
                different += mine.Item == other.Item ? 0 : 1;
            }
        }

        return different;
    }
}
