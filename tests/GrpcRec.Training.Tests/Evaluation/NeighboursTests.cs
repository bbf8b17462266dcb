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
        var neighbours = new ItemNeighbours(Trained([[0, 1, 0, 1], [0, 1], [0, 2], [1, 3]], items: 5));
        Assert.Equal([1, 2], neighbours.Items(0).ToArray());
        Assert.Equal(2 / Math.Sqrt(3 * 3), neighbours.Cosines(0)[0], 6); // twice together, however often in one sequence
        Assert.Equal(1 / Math.Sqrt(3 * 1), neighbours.Cosines(0)[1], 6);
        Assert.Equal(0, neighbours.Items(4).Length);
    }

    [Fact]
    public void Items_FurtherApartThanTheWindow_AreNotNear()
    {
        int[] longSequence = [0, .. Enumerable.Repeat(1, ItemNeighbours.Window - 1), 2, 3];
        var neighbours = new ItemNeighbours(Trained([longSequence], items: 4));
        Assert.Contains(2, neighbours.Items(0).ToArray());
        Assert.DoesNotContain(3, neighbours.Items(0).ToArray());
    }

    [Fact]
    public void Items_HeldOutEvents_AreNotCounted()
    {
        var neighbours = new ItemNeighbours(Splits.LeaveOneOut(TinyDataset.Of([[0, 1, 2, 3]], items: 4)));
        Assert.Equal([1], neighbours.Items(0).ToArray());
        Assert.Equal(0, neighbours.Items(3).Length);
    }

    private static SequenceDataset Trained(int[][] sequences, int items)
    {
        var data = TinyDataset.Of(sequences, items);
        for (var s = 0; s < data.SequenceCount; s++)
            Array.Fill(data.Roles, SplitRole.Train, data.Offsets[s] + 1, data.Offsets[s + 1] - data.Offsets[s] - 1);
        return data;
    }
}
