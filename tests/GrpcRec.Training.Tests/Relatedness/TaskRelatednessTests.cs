using GrpcRec.Engine.Models;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Relatedness;

namespace GrpcRec.Training.Tests.Relatedness;

public sealed class TaskRelatednessTests
{
    private static readonly TaskDefinition[] Tasks =
    [
        new() { Name = "next", Kind = TaskKind.NextItem },
        new() { Name = "like", Kind = TaskKind.Binary, Label = new LabelSource.Column("like") },
        new() { Name = "genre", Kind = TaskKind.Multiclass, Label = new LabelSource.NextCategory() },
    ];

    private static readonly Dictionary<string, double> Multi = new() { ["ndcg@10"] = 0.2, ["auc/like"] = 0.8, ["accuracy/genre"] = 0.6 };

    [Fact]
    public void Of_OneTask_IsNothingToTell() => Assert.Null(TaskRelatedness.Of(Tasks[..1], [], Multi));

    [Fact]
    public void Of_EpochsWithGaps_AveragesTheKnownCosines()
    {
        var told = TaskRelatedness.Of(Tasks, [Epoch(0.4, double.NaN), Epoch(0.2, double.NaN), Epoch(null, 0)], Multi)!;
        Assert.Equal(["next", "like", "genre"], told.Tasks);
        Assert.Equal(0.3, told.Cosines[0][1], 12);
        Assert.True(double.IsNaN(told.Cosines[0][2]));
        Assert.Empty(told.Gains);
        Assert.Empty(told.Warnings);
    }

    [Fact]
    public void Of_TasksThatPullApart_NamesThem()
    {
        var warning = Assert.Single(TaskRelatedness.Of(Tasks, [Epoch(-0.3, 0.1)], Multi)!.Warnings);
        Assert.Contains("next and like", warning, StringComparison.Ordinal);
        Assert.Contains("-0.30", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_OneGainsAndOneLoses_IsASeesaw()
    {
        var told = TaskRelatedness.Of(Tasks, [Epoch(0.3, 0.1)], Multi, Alone(0.15, 0.82, 0.6))!;
        Assert.Equal([0.05, -0.02, 0.0], told.Gains.Select(gain => Math.Round(gain.Gain, 12)));
        var warning = Assert.Single(told.Warnings);
        Assert.Contains("seesaw", warning, StringComparison.Ordinal);
        Assert.Contains("next (+0.0500)", warning, StringComparison.Ordinal);
        Assert.Contains("like (-0.0200)", warning, StringComparison.Ordinal);
        Assert.DoesNotContain("genre", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_DifferencesOfChance_WarnOfNothing() =>
        Assert.Empty(TaskRelatedness.Of(Tasks, [Epoch(0.3, 0.1)], Multi, Alone(0.199, 0.8015, 0.6))!.Warnings);

    [Fact]
    public void Of_NobodyGains_SaysSo() =>
        Assert.Contains("nobody gains", Assert.Single(TaskRelatedness.Of(Tasks, [Epoch(0.3, 0.1)], Multi, Alone(0.2, 0.85, 0.6))!.Warnings), StringComparison.Ordinal);

    private static EpochRecord Epoch(double? nextLike, double nextGenre) => new(1, 1, new Dictionary<string, double>(), new Dictionary<string, double>(), 1, 1)
    {
        GradientCosines = nextLike is { } known ? [[1, known, nextGenre], [known, 1, 0], [nextGenre, 0, 1]] : null,
    };

    private static Dictionary<string, IReadOnlyDictionary<string, double>> Alone(double next, double like, double genre) => new()
    {
        ["next"] = new Dictionary<string, double> { ["ndcg@10"] = next },
        ["like"] = new Dictionary<string, double> { ["auc/like"] = like },
        ["genre"] = new Dictionary<string, double> { ["accuracy/genre"] = genre },
    };
}
