using GrpcRec.Engine.Models;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Optimizers;
using GrpcRec.Training.Tests.Learning;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.MultiTask;

[Collection(TorchTests.Name)]
public class TaskTrunkTests
{
    private static readonly TaskDefinition[] Tasks = [TinyData.Like, TinyData.NextItem, TinyData.Rating];

    [Theory]
    [InlineData("like", "rating")]
    [InlineData("rating", "like")]
    public void Forward_Stem_ATasksLossChangesItsOwnTableAndExpertsAlone(string task, string other)
    {
        using var scope = NewDisposeScope();
        using var model = Model(TrunkKind.Stem);

        var gradients = Gradients(model, task);

        string[] own = [$"task.{task}.item_embedding", $"trunk.l0.expert.{task}.0.weight", $"trunk.l0.expert.{task}.1.bias", $"trunk.l0.gate.{task}.weight"];
        string[] shared = ["item_embedding", "bottom.projection.weight", "trunk.l0.expert.shared0.weight", "trunk.l0.expert.shared2.bias"];
        Assert.All(own.Concat(shared), name => Assert.True(gradients[name] > 0, $"{task} does not reach {name}"));
        Assert.Empty(gradients.Where(one => one.Value != 0 && one.Key.Contains($".{other}.", StringComparison.Ordinal)).Select(one => one.Key));
    }

    [Fact]
    public void Forward_Stem_EveryMixtureReadsTheExpertsOfAllTasks()
    {
        using var scope = NewDisposeScope();
        using var model = Model(TrunkKind.Stem);
        using var frozen = no_grad();
        var (h, items) = Inputs();
        var before = model.Heads.Trunk.Forward(h, items, [], training: false)["like"];

        model.Parameters["task.rating.item_embedding"].add_(1);

        Assert.False(before.allclose(model.Heads.Trunk.Forward(h, items, [], training: false)["like"]));
    }

    [Fact]
    public void Fresh_Stem_TablesBeginAsTheItemEmbeddingDoes()
    {
        using var scope = NewDisposeScope();
        using var model = Model(TrunkKind.Stem);
        foreach (var name in (string[])["item_embedding", "task.like.item_embedding", "task.rating.item_embedding"])
            Assert.InRange(model.Parameters[name].detach().std().item<float>(), 0.04f, 0.06f);
        Assert.False(model.Parameters.Has("task.next.item_embedding"));
        using var plain = Model(TrunkKind.Cgc);
        Assert.DoesNotContain(plain.Parameters.Named, one => one.Name.EndsWith(".item_embedding", StringComparison.Ordinal));
    }

    [Fact]
    public void Step_StemAndLazyEmbeddings_MovesTheRowsOfTheBatchAlone()
    {
        using var scope = NewDisposeScope();
        using var model = Model(TrunkKind.Stem);
        using var optimizer = ParameterOptimizer.Create([.. model.Parameters.Named], new OptimizerPlan { Kind = OptimizerKind.AdamW, WeightDecay = 0.1, LazyEmbeddings = true });
        var table = model.Parameters["task.like.item_embedding"];
        var before = table.detach().clone();

        Gradients(model, "like");
        optimizer.Step(0.1);

        // Of 60 items the first 50 are candidates; the others would decay.
        var moved = before.ne(table).any(1).data<bool>().ToArray();
        Assert.All(moved[..50], Assert.True);
        Assert.All(moved[50..], Assert.False);
    }

    private static MultiTaskModel Model(TrunkKind trunk)
    {
        var plan = TinyData.Plan(Tasks);
        plan = plan with { Architecture = plan.Architecture with { Trunk = trunk, SharedExperts = 3, TaskExperts = 2 } };
        var data = TinyData.Cycle(items: 60);
        random.manual_seed(3);
        return new MultiTaskModel(TrainingPlanRules.Manifest(plan, data, TaskLabels.Build(data, Tasks), DateTimeOffset.UnixEpoch), dropout: 0);
    }

    private static (Tensor H, Tensor Items) Inputs() => (randn(50, 16), arange(50, ScalarType.Int64));

    /// <returns>Σ|gradient| of the task's loss, by parameter; 0 where there is none.</returns>
    private static Dictionary<string, double> Gradients(MultiTaskModel model, string task)
    {
        var (h, items) = Inputs();
        var logits = model.Heads.Logits(task, model.Heads.Trunk.Forward(h, items, [], training: true)[task]);
        logits.square().sum().backward();
        return model.Parameters.Named.ToDictionary(one => one.Name, one =>
        {
            using var gradient = one.Parameter.grad;
            return gradient is null ? 0 : (double)gradient.abs().sum().item<float>();
        });
    }
}
