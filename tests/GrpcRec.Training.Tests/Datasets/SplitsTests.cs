using CsCheck;
using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.Tests.Datasets;

public sealed class SplitsTests
{
    private const SplitRole Train = SplitRole.Train, Validation = SplitRole.Validation, Test = SplitRole.Test, None = SplitRole.None;

    [Fact]
    public void LeaveOneOut_EveryLength_GivesDocumentedRoles()
    {
        var data = Splits.LeaveOneOut(TinyDataset.Of([[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]], items: 4));
        Assert.Equal([None, None, Train, None, Validation, Test, None, Train, Validation, Test], data.Roles);
        // Counts are of the training part, inputs included: item 0 in every sequence, item 1 not where it validates.
        Assert.Equal([4, 2, 0, 0], data.Items.Items.Select(i => i.Count));
    }

    [Fact]
    public void LeaveOneOut_ShortSequencesOnly_SaysWhatItNeeds()
    {
        var error = Assert.Throws<SplitException>(() => Splits.LeaveOneOut(TinyDataset.Of([[0, 1, 2]], items: 3)));
        Assert.Contains("at least four events", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ByTime_Shares_CutsAllEventsByInstant()
    {
        var times = new long[] { 0, 1, 2, 3, 8, 4, 5, 6, 7, 9 };
        var data = Splits.ByTime(TinyDataset.Of([[0, 1, 2, 3, 0], [0, 1, 2, 3, 1]], items: 4, times: times), 0.2, 0.2);
        Assert.Equal([None, Train, Train, Train, Test, None, Train, Validation, Validation, Test], data.Roles);
        Assert.Equal([2, 2, 1, 1], data.Items.Items.Select(i => i.Count));
    }

    [Fact]
    public void ByTime_EventsOfOneInstant_StayTogether()
    {
        // A fifth of six events is one, but three share the last instant.
        var data = Splits.ByTime(TinyDataset.Of([[0, 1, 2, 3, 0, 1]], items: 4, times: [0, 1, 2, 5, 5, 5]), 0.4, 0.2);
        Assert.Equal([None, Train, Validation, Test, Test, Test], data.Roles);
    }

    [Fact]
    public void ByDate_FirstEventInTest_IsNoTargetAndNotCounted()
    {
        var data = TinyDataset.Of([[0, 1, 2, 3], [1, 2]], items: 4, times: [0, 10, 20, 30, 30, 31]);
        var split = Splits.ByDate(data, DateTimeOffset.FromUnixTimeMilliseconds(20), DateTimeOffset.FromUnixTimeMilliseconds(30));
        Assert.Equal([None, Train, Validation, Test, None, Test], split.Roles);
        Assert.Equal([1, 1, 0, 0], split.Items.Items.Select(i => i.Count));
        Assert.Equal(data.Fingerprint, split.Fingerprint);
    }

    [Theory]
    [InlineData(0, 0.1, "validationShare")]
    [InlineData(0.1, 1, "testShare")]
    [InlineData(0.1, double.NaN, "testShare")]
    [InlineData(0.6, 0.5, "below 1")]
    public void ByTime_BadShares_Throws(double validation, double test, string message)
    {
        var error = Assert.Throws<SplitException>(() => Splits.ByTime(TinyDataset.Of([[0, 1, 2, 3]], items: 4), validation, test));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ByTime_OneInstant_SaysThatNothingIsLeftToTrainOn()
    {
        var error = Assert.Throws<SplitException>(() => Splits.ByTime(TinyDataset.Of([[0, 1, 2, 3]], items: 4, times: [5, 5, 5, 5])));
        Assert.Contains("train on", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ByDate_WrongOrderOrOutsideTheData_Throws()
    {
        var data = TinyDataset.Of([[0, 1, 2, 3]], items: 4);
        var epoch = DateTimeOffset.UnixEpoch;
        Assert.Contains("must begin later", Assert.Throws<SplitException>(() => Splits.ByDate(data, epoch, epoch)).Message, StringComparison.Ordinal);
        Assert.Contains("validate on", Assert.Throws<SplitException>(() => Splits.ByDate(data, epoch.AddDays(1), epoch.AddDays(2))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void LeaveOneOut_Contexts_KeepTheValuesOfTheTrainingPartByFrequency()
    {
        var data = TinyDataset.Of([[0, 1, 2, 3, 0, 1], [0, 1]], items: 4, contexts: new() { ["tab"] = new(["late", "rare", "often", "b", "a"], [2, 3, 3, 0, 1, 1, 5, 4]) });
        var split = Splits.LeaveOneOut(data);
        // "late" is in validation and test alone; a and b come as often and then by name.
        Assert.Equal(["often", "a", "b", "rare"], split.Contexts["tab"].Values);
        Assert.Equal<ushort>([4, 1, 1, 0, 0, 0, 2, 3], split.Contexts["tab"].Ids);
        Assert.Same(split.Contexts, split.WithRoles(split.Roles).Contexts);
    }

    [Fact]
    public void LeaveOneOut_ContextWithManyValues_KeepsTheMostFrequentAndForgetsTheRest()
    {
        const int Count = 3_000;
        var data = TinyDataset.Of([new int[Count + 2]], items: 1, contexts: new() { ["tab"] = new([.. Enumerable.Range(0, Count).Select(v => $"v{v:0000}")], [.. Enumerable.Range(0, Count + 2).Select(t => (ushort)(t % Count < 10 ? 2_500 : 1 + (t % Count)))]) });
        var column = Splits.LeaveOneOut(data).Contexts["tab"];
        Assert.Equal(ContextColumn.MaxValues, column.Values.Count);
        Assert.Equal("v2499", column.Values[0]); // eleven times
        Assert.Equal(1, column.Ids[0]);
        Assert.Equal(0, column.Ids[Count - 2]);
    }

    [Fact]
    public void LeaveOneOut_AnySequences_NeverTargetsAFirstEvent_AndHoldsTwoOutOfEachLongOne() =>
        Gen.Int[1, 9].Array[1, 12].Sample(lengths =>
        {
            var data = Splits.LeaveOneOut(TinyDataset.Of([[0, 0, 0, 0], .. lengths.Select(n => new int[n])], items: 1));
            for (var s = 0; s < data.SequenceCount; s++)
            {
                var roles = data.Roles[data.Offsets[s]..data.Offsets[s + 1]];
                Assert.Equal(None, roles[0]);
                Assert.Equal(roles.Length >= 3 ? 1 : 0, roles.Count(r => r == Test));
                Assert.Equal(roles.Length >= 3 ? 1 : 0, roles.Count(r => r == Validation));
            }
        });
}
