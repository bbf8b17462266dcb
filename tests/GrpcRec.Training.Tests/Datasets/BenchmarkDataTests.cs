using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.Tests.Datasets;

/// <summary>Against the counts that the data sets' own pages give.</summary>
public sealed class BenchmarkDataTests
{
    private static int Targets(SequenceDataset data, SplitRole role) => data.Roles.Count(r => r == role);

    [SkippableTheory]
    [InlineData("b1a", 999_611, 6_040, 3_416)]
    [InlineData("b1b", 834_449, 6_033, 3_123)]
    [InlineData("b1c", 353_962, 40_226, 54_542)]
    [InlineData("b3", 999_611, 6_040, 3_416)]
    public void Load_NextItemBenchmark_HasThePublishedCounts(string name, int events, int users, int items)
    {
        var data = BenchmarkData.Load(name, SharedData.Root());
        Assert.Equal((events, users, items), (data.EventCount, data.SequenceCount, data.Items.Count));
        Assert.Equal(users, Targets(data, SplitRole.Test));
        Assert.Equal(users, Targets(data, SplitRole.Validation));
        Assert.Equal(events - (3 * users), Targets(data, SplitRole.Train));
    }

    [SkippableFact]
    public void Load_B3_HasTheEventsOfB1aInTheSameOrder()
    {
        var root = SharedData.Root();
        SequenceDataset plain = BenchmarkData.Load("b1a", root), rated = BenchmarkData.Load("b3", root);
        Assert.Equal(plain.SequenceKeys, rated.SequenceKeys);
        Assert.Equal(plain.ItemIds, rated.ItemIds);
        Assert.Equal([1f, 2f, 3f, 4f, 5f], rated.Values.Distinct().Order());
    }

    [SkippableFact]
    public void Load_B2_SplitsExposuresByDateWithHistoryAsInput()
    {
        var data = BenchmarkData.Load("b2", SharedData.Root());
        var labelled = data.Labels["click"].Count(v => !float.IsNaN(v));
        Assert.Equal(228_329, labelled);
        Assert.Equal(25_156, data.SequenceCount);
        Assert.Equal(100_900, data.Labels["click"].Count(v => v > 0));
        Assert.Equal(70_963, data.Labels["long_view"].Count(v => v > 0));
        Assert.Equal(3_915, data.Labels["like"].Count(v => v > 0));
        Assert.Equal(4_231, data.Labels["profile_enter"].Count(v => v > 0));

        // A target has a label, and a part loses the exposures that begin a sequence, no others.
        int firsts = Enumerable.Range(0, data.SequenceCount).Count(s => !float.IsNaN(data.Labels["click"][data.Offsets[s]]));
        Assert.Equal(228_329 - firsts, Targets(data, SplitRole.Train) + Targets(data, SplitRole.Validation) + Targets(data, SplitRole.Test));
        Assert.InRange(Targets(data, SplitRole.Train), 171_671 - firsts, 171_671);
        Assert.InRange(Targets(data, SplitRole.Validation), 27_224 - firsts, 27_224);
        Assert.InRange(Targets(data, SplitRole.Test), 29_434 - firsts, 29_434);

        // Each exposure has its page and hour; a user's traits stand on the history too; "entered" is on the rows that are so labelled.
        Assert.Equal(16, data.Contexts.Count);
        Assert.Equal(labelled, data.Contexts["hour"].Ids.Count(id => id > 0));
        Assert.InRange(data.Contexts["tab"].Values.Count, 5, 20);
        Assert.Equal(["entered"], data.Contexts["profile"].Values);
        Assert.Equal(4_231, data.Contexts["profile"].Ids.Count(id => id > 0));
        Assert.All(data.Contexts["user_active_degree"].Ids, id => Assert.True(id > 0));
        Assert.InRange(data.Categories.Count, 40, 111);
        Assert.All(data.Values, value => Assert.True(float.IsNaN(value) || value is >= 0 and <= 10));
        for (var t = 0; t < data.EventCount; t++)
            Assert.True(data.Roles[t] == SplitRole.None || !float.IsNaN(data.Labels["click"][t]));
    }

    [SkippableTheory]
    [InlineData("b1a")]
    [InlineData("b1b")]
    [InlineData("b2")]
    [InlineData("b4")]
    public void Load_EverySequence_IsInTimeOrderWithoutALaterPartBeforeAnEarlier(string name)
    {
        var data = BenchmarkData.Load(name, SharedData.Root());
        for (var s = 0; s < data.SequenceCount; s++)
        {
            var latest = SplitRole.Train;
            for (var t = data.Offsets[s]; t < data.Offsets[s + 1]; t++)
            {
                Assert.True(t == data.Offsets[s] || data.TimestampsMs[t] >= data.TimestampsMs[t - 1], $"sequence {s}, event {t}");
                if (data.Roles[t] == SplitRole.None)
                    continue;
                Assert.True(data.Roles[t] >= latest, $"sequence {s}, event {t}");
                latest = data.Roles[t];
            }
        }
    }

    [SkippableFact]
    public void Load_B4_HasThePublishedSessionsAndPrefixes()
    {
        var data = BenchmarkData.Load("b4", SharedData.Root());
        Assert.Equal(186_670 + 60_858, data.SequenceCount);
        Assert.Equal(43_097, data.Items.Count);
        Assert.Equal(719_470, Targets(data, SplitRole.Train) + Targets(data, SplitRole.Validation));
        Assert.Equal(60_858, Targets(data, SplitRole.Test));
    }

    [Fact]
    public void Load_UnknownNameOrMissingFolder_SaysSo()
    {
        Assert.Contains("b1a, b1b", Assert.Throws<ArgumentException>(() => BenchmarkData.Load("b9", "/nowhere")).Message, StringComparison.Ordinal);
        Assert.Contains("ml-1m_sas.txt.gz", Assert.Throws<BenchmarkDataException>(() => BenchmarkData.Load("b1a", "/nowhere")).Message, StringComparison.Ordinal);
    }
}
