using CsCheck;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Tests.Datasets;

namespace GrpcRec.Training.Tests.Learning;

public sealed class FeatureBoundaryTests
{
    private static SequenceDataset Of(long[] times, float[] values)
    {
        var data = TinyDataset.Of([new int[times.Length]], items: 1, times: times, values: values);
        Array.Fill(data.Roles, SplitRole.Train);
        data.Roles[0] = SplitRole.None;
        return data;
    }

    [Fact]
    public void OfValues_Ratings_StandBetweenThem()
    {
        var data = Of(new long[11], [float.NaN, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
        Assert.Equal([1.5, 2.5, 3.5, 4.5], FeatureBoundaries.OfValues(data, 16));
        Assert.Equal([2.5], FeatureBoundaries.OfValues(data, 2).Take(1));
    }

    [Fact]
    public void OfValues_MostlyOneValue_StillTellsTheOthersFromIt()
    {
        float[] values = [float.NaN, .. Enumerable.Repeat(0f, 97), 1, 2];
        Assert.Equal([0.5], FeatureBoundaries.OfValues(Of(new long[values.Length], values), 8));
    }

    [Fact]
    public void OfValues_OtherParts_AreNotLookedAt()
    {
        var data = Of(new long[4], [0, 1, 2, 900]);
        data.Roles[3] = SplitRole.Test;
        Assert.Equal([1.5], FeatureBoundaries.OfValues(data, 8));
    }

    [Fact]
    public void OfGaps_SecondsAndDays_AreEvenOnALogarithmicScale()
    {
        long[] gaps = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
        var data = Of([0, .. gaps.Select((_, n) => gaps[..(n + 1)].Sum())], new float[6]);
        Assert.Equal([1_000, 10_000, 100_000, 1_000_000, 10_000_000], FeatureBoundaries.OfGaps(data, 6));
    }

    [Fact]
    public void OfGaps_OneInstant_HaveNone() => Assert.Empty(FeatureBoundaries.OfGaps(Of(new long[5], new float[5]), 6));

    [Fact]
    public void Of_AnyData_AreAscendingAndNoMoreThanAsked() =>
        Gen.Select(Gen.Long[0, 1L << 40].Array[2, 40], Gen.OneOf(Gen.Float[-1e6f, 1e6f], Gen.Int[0, 3].Select(n => (float)n)).Array[40], Gen.Int[2, 20]).Sample((times, values, buckets) =>
        {
            Array.Sort(times);
            var data = Of(times, values[..times.Length]);
            foreach (var boundaries in (double[][])[FeatureBoundaries.OfGaps(data, buckets), FeatureBoundaries.OfValues(data, buckets)])
            {
                Assert.InRange(boundaries.Length, 0, buckets - 1);
                Assert.Equal(boundaries.Distinct().Order(), boundaries);
                Assert.All(boundaries, boundary => Assert.True(double.IsFinite(boundary)));
            }

            Assert.All(FeatureBoundaries.OfGaps(data, buckets), boundary => Assert.True(boundary > 0));
            // Whatever differs among the values is told apart somewhere.
            var given = values[1..times.Length];
            Assert.Equal(given.Distinct().Count() > 1, FeatureBoundaries.OfValues(data, buckets).Length > 0);
        });
}
