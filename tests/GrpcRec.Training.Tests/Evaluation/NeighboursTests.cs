using GrpcRec.Engine.Models;
using GrpcRec.Training.CollaborativeFiltering;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Tests.Datasets;

namespace GrpcRec.Training.Tests.Evaluation;

public sealed class NeighboursTests
{
    /// <summary>Item 0 in three sequences, 1 in two of them and one more, 2 in one of them.</summary>
    [Fact]
    public void Items_FourSequences_HaveHandWorkedCosines()
    {
        var neighbours = ItemNeighbours.Count(Trained([[0, 1, 0, 1], [0, 1], [0, 2], [1, 3]], items: 5));
        Assert.Equal([1, 2], neighbours.Items(0).ToArray());
        Assert.Equal(2 / Math.Sqrt(3 * 3), neighbours.Weights(0)[0], 6); // twice together, however often in one sequence
        Assert.Equal(1 / Math.Sqrt(3 * 1), neighbours.Weights(0)[1], 6);
        Assert.Equal(0, neighbours.Items(4).Length);
    }

    [Fact]
    public void Items_FurtherApartThanTheWindow_AreNotNear()
    {
        int[] longSequence = [0, .. Enumerable.Repeat(1, ItemNeighbours.Window - 1), 2, 3];
        var neighbours = ItemNeighbours.Count(Trained([longSequence], items: 4));
        Assert.Contains(2, neighbours.Items(0).ToArray());
        Assert.DoesNotContain(3, neighbours.Items(0).ToArray());
    }

    [Fact]
    public void Items_HeldOutEvents_AreNotCounted()
    {
        var neighbours = ItemNeighbours.Count(Splits.LeaveOneOut(TinyDataset.Of([[0, 1, 2, 3]], items: 4)));
        Assert.Equal([1], neighbours.Items(0).ToArray());
        Assert.Equal(0, neighbours.Items(3).Length);
    }

    /// <summary>1 and 2 follow 0 twice each, 3 once; 2 is the most popular of them.</summary>
    [Fact]
    public void Successors_FiveSequences_AreSharesWithTiesByPopularity()
    {
        var data = Trained([[0, 1, 0, 1], [0, 2, 2], [0, 2], [0, 3], [2, 2]], items: 5);
        data = data.With(data.Roles, new([.. Enumerable.Range(0, 5).Select(item => new CatalogItem("i" + item, data.ItemIds.Count(id => id == item)))]), data.Contexts, data.Fingerprint);
        var successors = Successors.Count(data, new PopularityBaseline(data));
        Assert.Equal([2, 1, 3], successors.Items(0).ToArray());
        Assert.Equal([2f / 5, 2f / 5, 1f / 5], successors.Weights(0).ToArray());
        Assert.Equal([0], successors.Items(1).ToArray());
        Assert.Equal(0, successors.Items(4).Length);
    }

    [Fact]
    public void Count_RowsPastTheLength_KeepTheLargestWeights()
    {
        var lastProgress = (Done: -1L, Total: 0L);
        var table = NeighbourTable.Count(
            5_000,
            (item, counts) =>
            {
                for (var n = 0; n < item % 4; n++)
                {
                    counts.Add(n);
                    counts.AddOnce(n + (item % 2), sequence: item);
                }
            },
            (_, neighbour, counts) => counts.Of(neighbour) + (neighbour / 10f), mostOfItem: 2,
            progress: (done, total) =>
            {
                Assert.True(done > lastProgress.Done);
                lastProgress = (done, total);
            });
        Assert.Equal(10_000, lastProgress.Total);
        Assert.Equal([0, 0, 2, 4, 6], table.Offsets[..5]); // of 0, 2, 2 and 4 items two of a row at most
        Assert.Equal([2, 1], table.Items(3).ToArray()); // twice each, as 0 is not
        Assert.Equal([2.2f, 2.1f], table.Weights(3).ToArray());
        for (var item = 4; item < 5_000; item++)
            Assert.Equal(table.Items(item % 4).ToArray(), table.Items(item).ToArray());
    }

    [Fact]
    public void Count_Cancelled_Stops()
    {
        using var cancelled = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => NeighbourTable.Count(
            100_000, (_, _) => { }, (_, _, _) => 1, 10, progress: (done, _) =>
            {
                if (done > 0)
                    cancelled.Cancel();
                Assert.InRange(done, 0, 10_000);
            }, cancellation: cancelled.Token));
    }

    private static SequenceDataset Trained(int[][] sequences, int items)
    {
        var data = TinyDataset.Of(sequences, items);
        for (var s = 0; s < data.SequenceCount; s++)
            Array.Fill(data.Roles, SplitRole.Train, data.Offsets[s] + 1, data.Offsets[s + 1] - data.Offsets[s] - 1);
        return data;
    }
}
