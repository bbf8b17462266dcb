using System.Globalization;
using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Events;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Worlds;

namespace GrpcRec.Training.Tests.Worlds;

public sealed class SyntheticWorldTests
{
    public static TheoryData<string> Worlds => [.. SyntheticWorld.Names];

    [Fact]
    public void Names_AreTheFourWorlds() => Assert.Equal(["shop", "social", "music", "video"], SyntheticWorld.Names);

    [Theory]
    [MemberData(nameof(Worlds))]
    public void Generate_SameSeed_GivesTheSameWorld_AndAnotherSeedAnother(string name)
    {
        WorldData first = Generate(1), again = Generate(1), other = Generate(2);
        Assert.Equal(first.Rows, again.Rows);
        Assert.Equal(first.Truth, again.Truth);
        Assert.NotEqual(first.Rows, other.Rows);

        WorldData Generate(int seed) => SyntheticWorld.Generate(new WorldOptions { Name = name, Seed = seed, Users = 100 });
    }

    [Theory]
    [MemberData(nameof(Worlds))]
    public void Generate_Oracle_BeatsTheBaselinesOnTheSameTestEvents(string name)
    {
        var world = SyntheticWorld.Generate(new WorldOptions { Name = name });
        var data = Splits.LeaveOneOut(world.ToDataset());
        var baselines = Baselines.Evaluate(data, world.Tasks, new EvaluationPlan(), SplitRole.Test);

        Assert.InRange(data.Items.Count, 1000, 2000);
        Assert.InRange(data.SequenceCount, 1500, 3000);
        Assert.InRange(world.Truth["hr@10"], 0.4, 0.9);
        Assert.True(world.Truth["hr@10"] > 1.2 * baselines["markov-1"]["hr@10"], $"{world.Truth["hr@10"]} against {baselines["markov-1"]["hr@10"]}");
        Assert.True(world.Truth["ndcg@10"] > 1.2 * baselines["markov-1"]["ndcg@10"]);
        Assert.True(world.Truth["hr@10"] > 5 * baselines["popularity"]["hr@10"]);
        Assert.True(world.Truth["accuracy/category"] > 2 * baselines["prior"]["accuracy/category"]);
        foreach (var task in world.Tasks.Where(t => t.Kind == TaskKind.Binary))
        {
            Assert.InRange(world.Truth["auc/" + task.Name], 0.65, 0.97);
            Assert.True(world.Truth["auc/" + task.Name] > baselines["rates"]["auc/" + task.Name] + 0.02, $"{task.Name}: {world.Truth["auc/" + task.Name]} against {baselines["rates"]["auc/" + task.Name]}");
            Assert.Equal(world.Truth["positives/" + task.Name], baselines["rates"]["positives/" + task.Name], 12); // the same events
        }
    }

    [Theory]
    [MemberData(nameof(Worlds))]
    public void Generate_BehaviorFrequencies_AreWithinFiveDeviationsOfTheTrueProbabilities(string name)
    {
        var world = SyntheticWorld.Generate(new WorldOptions { Name = name, Seed = 3 });
        Assert.Equal(world.Rows.Count, world.BehaviorCounts.Values.Sum(c => c.Expected), 6);
        foreach (var (behavior, (expected, variance)) in world.BehaviorCounts)
        {
            var observed = world.Rows.Count(row => row.Behavior == behavior);
            Assert.True(observed > 100, $"{behavior} is frequent enough to be learnt");
            Assert.InRange((observed - expected) / Math.Sqrt(variance), -5, 5);
        }
    }

    [Theory]
    [MemberData(nameof(Worlds))]
    public void Generate_TrueProbabilities_AreCalibratedOnTheTestEvents(string name)
    {
        var world = SyntheticWorld.Generate(new WorldOptions { Name = name, Seed = 5 });
        foreach (var task in world.Tasks.Where(t => t.Kind == TaskKind.Binary))
        {
            var share = world.Truth["positives/" + task.Name];
            var entropy = -(share * Math.Log(share)) - ((1 - share) * Math.Log(1 - share));
            Assert.True(world.Truth["logloss/" + task.Name] < entropy, "knowing the truth is better than knowing the share");
        }
    }

    [Theory]
    [MemberData(nameof(Worlds))]
    public void WriteCsv_Imported_GivesTheSameDataset(string name)
    {
        var world = SyntheticWorld.Generate(new WorldOptions { Name = name, Users = 200 });
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".csv");
        try
        {
            world.WriteCsv(path);
            var (data, report) = EventImporter.Import(new EventFile { Path = path }, new());
            Assert.Equal(world.Rows.Count, report.RowsKept);
            Assert.Equal(world.ToDataset().Fingerprint, data.Fingerprint);
            Assert.Equal(world.Tasks.Count, TaskLabels.Build(data, world.Tasks).Count);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Generate_Rows_AreInTimeOrderWithReadableIds()
    {
        var rows = SyntheticWorld.Generate(new WorldOptions { Name = "shop", Users = 50 }).Rows;
        Assert.Equal(rows.Select(r => r.TimestampMs).Order(), rows.Select(r => r.TimestampMs));
        Assert.Contains(rows, row => row.UserId == "u0001");
        Assert.All(rows, row => Assert.StartsWith(row.Category + "-", row.ItemId, StringComparison.Ordinal));
        Assert.All(rows.GroupBy(r => r.UserId), user => Assert.InRange(user.Count(), 20, 60));
    }

    [Fact]
    public void Generate_Worlds_DifferInBehaviorsTasksAndSessions()
    {
        var worlds = SyntheticWorld.Names.Select(name => SyntheticWorld.Generate(new WorldOptions { Name = name, Users = 300 })).ToArray();
        Assert.Equal(4, worlds.Select(w => string.Join(',', w.BehaviorCounts.Keys)).Distinct().Count());
        Assert.Equal(4, worlds.Select(w => string.Join(',', w.Tasks.Select(t => t.Name))).Distinct().Count());
        var pauses = worlds.Select(MedianPause).ToArray();
        Assert.Equal(4, pauses.Distinct().Count());
        Assert.True(pauses.Max() > 5 * pauses.Min(), string.Join(", ", pauses.Select(p => p.ToString(CultureInfo.InvariantCulture))));

        static long MedianPause(WorldData world)
        {
            var gaps = world.Rows.GroupBy(r => r.UserId).SelectMany(u => u.Zip(u.Skip(1), (a, b) => b.TimestampMs - a.TimestampMs)).Order().ToArray();
            return gaps[gaps.Length / 2];
        }
    }

    [Fact]
    public void Generate_UnknownNameOrTooManyUsers_SaysSo()
    {
        Assert.Contains("shop, social, music, video", Assert.Throws<ArgumentException>(() => SyntheticWorld.Generate(new WorldOptions { Name = "zoo" })).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => SyntheticWorld.Generate(new WorldOptions { Name = "shop", Users = 0 }));
    }
}
