using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Tests.Datasets;

namespace GrpcRec.Training.Tests.MultiTask;

public sealed class TaskLabelsTests
{
    private static SequenceDataset Data() => TinyDataset.Of(
        [[0, 1, 2], [2, 0]],
        items: 3,
        behaviors: ["view", "like"],
        behaviorIds: [0, 1, 0, 1, 0],
        values: [1, 3, float.NaN, 5, 4.5f],
        categories: ["a", "b"],
        itemCategories: [0, 1, -1],
        labels: new() { ["seen"] = [0, 1, float.NaN, 2, -1] });

    private static TaskLabels One(TaskKind kind, LabelSource? label) =>
        Assert.Single(TaskLabels.Build(Data(), [new TaskDefinition { Name = "t", Kind = kind, Label = label }]));

    [Fact]
    public void Build_EverySource_GivesTheLabelOfEachEvent()
    {
        var next = One(TaskKind.NextItem, null);
        Assert.True(next.NeedsCandidate);
        Assert.Empty(next.Label);

        var liked = One(TaskKind.Binary, new LabelSource.Behaviors(["like"]));
        Assert.True(liked.NeedsCandidate);
        Assert.Equal([0, 1, 0, 1, 0], liked.Label);

        Assert.Equal([0, 0, float.NaN, 1, 1], One(TaskKind.Binary, new LabelSource.ValueAtLeast(4)).Label);
        Assert.Equal([0, 1, float.NaN, 1, 0], One(TaskKind.Binary, new LabelSource.Column("seen")).Label);

        var rating = One(TaskKind.Multiclass, new LabelSource.ValueClasses([1, 3, 5]));
        Assert.True(rating.NeedsCandidate);
        Assert.Equal(["1", "3", "5"], rating.ClassNames);
        Assert.Equal([0, 1, float.NaN, 2, float.NaN], rating.Label);

        var category = One(TaskKind.Multiclass, new LabelSource.NextCategory());
        Assert.False(category.NeedsCandidate);
        Assert.Equal(["a", "b"], category.ClassNames);
        Assert.Equal([0, 1, float.NaN, float.NaN, 0], category.Label);

        var behavior = One(TaskKind.Multiclass, new LabelSource.NextBehavior());
        Assert.Equal(["view", "like"], behavior.ClassNames);
        Assert.Equal([0, 1, 0, 1, 0], behavior.Label);
    }

    public static TheoryData<string, TaskKind, LabelSource?, string> Faults => new()
    {
        { "unknown behaviour", TaskKind.Binary, new LabelSource.Behaviors(["buy"]), "no event has the behaviour \"buy\"" },
        { "no behaviour", TaskKind.Binary, new LabelSource.Behaviors([]), "names no behaviour" },
        { "unknown column", TaskKind.Binary, new LabelSource.Column("click"), "no label column is called \"click\"; the data has \"seen\"" },
        { "infinite threshold", TaskKind.Binary, new LabelSource.ValueAtLeast(double.NaN), "not a finite number" },
        { "unordered classes", TaskKind.Multiclass, new LabelSource.ValueClasses([2, 1]), "ascending" },
        { "one class", TaskKind.Multiclass, new LabelSource.ValueClasses([2]), "give 2 to 100" },
        { "kind and label differ", TaskKind.Binary, new LabelSource.NextCategory(), "cannot take its label from NextCategory" },
        { "no label", TaskKind.Binary, null, "it has no label" },
        { "label of next_item", TaskKind.NextItem, new LabelSource.NextBehavior(), "takes no label" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Build_FaultyTask_SaysWhatIsWrong(string fault, TaskKind kind, LabelSource? label, string message)
    {
        _ = fault;
        var error = Assert.Throws<TaskDefinitionException>(() => One(kind, label));
        Assert.Equal("t", error.TaskName);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Build_DataWithoutWhatALabelNeeds_SaysSo()
    {
        var bare = TinyDataset.Of([[0, 1]], items: 2);
        Refused(TaskKind.Multiclass, new LabelSource.NextCategory(), "0 categories");
        Refused(TaskKind.Multiclass, new LabelSource.NextBehavior(), "1 behaviours");
        Refused(TaskKind.Binary, new LabelSource.ValueAtLeast(1), "needs values");
        Refused(TaskKind.Binary, new LabelSource.Column("x"), "has no label columns");

        void Refused(TaskKind kind, LabelSource label, string message) => Assert.Contains(
            message,
            Assert.Throws<TaskDefinitionException>(() => TaskLabels.Build(bare, [new TaskDefinition { Name = "t", Kind = kind, Label = label }])).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Click")]
    [InlineData("1st")]
    [InlineData("a b")]
    public void Build_BadName_Throws(string name) => Assert.Throws<TaskDefinitionException>(
        () => TaskLabels.Build(Data(), [new TaskDefinition { Name = name, Kind = TaskKind.NextItem }]));

    [Fact]
    public void Build_TasksThatClash_Throws()
    {
        var next = new TaskDefinition { Name = "next", Kind = TaskKind.NextItem };
        var like = new TaskDefinition { Name = "like", Kind = TaskKind.Binary, Label = new LabelSource.Behaviors(["like"]) };
        Assert.Contains("already a next_item", Assert.Throws<TaskDefinitionException>(() => TaskLabels.Build(Data(), [next, next with { Name = "again" }])).Message, StringComparison.Ordinal);
        Assert.Contains("names must differ", Assert.Throws<TaskDefinitionException>(() => TaskLabels.Build(Data(), [like, like])).Message, StringComparison.Ordinal);
        Assert.Contains("above 0", Assert.Throws<TaskDefinitionException>(() => TaskLabels.Build(Data(), [like with { Weight = double.NaN }])).Message, StringComparison.Ordinal);
        Assert.Throws<TaskDefinitionException>(() => TaskLabels.Build(Data(), []));
    }
}
