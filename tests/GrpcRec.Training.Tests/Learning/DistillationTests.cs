using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Tests.Learning;

[Collection(TorchTests.Name)]
public class DistillationTests
{
    private static readonly TaskDefinition Low = new() { Name = "low", Kind = TaskKind.Binary, Label = new LabelSource.ValueAtLeast(2) };
    private static readonly TaskDefinition High = new() { Name = "high", Kind = TaskKind.Binary, Label = new LabelSource.ValueAtLeast(4) };

    [Fact]
    public void Train_Distilled_TeachesBinaryTasksAloneAndTellsOfEach()
    {
        using var space = new Workspace();
        List<string?> told = [];
        var outcome = Train(space, TinyData.Plan(TinyData.NextItem, TinyData.Like, TinyData.Rating) with { Distillation = 0.5 }, progress: report => told.Add(report.SingleTask));
        Assert.Equal(["like"], outcome.SingleTasks!.Keys);
        Assert.Contains("auc/like", outcome.SingleTasks["like"].Keys);
        Assert.Equal(["like", null], told.Distinct()); // the teacher first
        Assert.Equal("tiny", outcome.Manifest.Name);

        // A model is compared with all of its tasks alone; one that is not asked to be has no company.
        using Workspace compared = new(), plain = new();
        Assert.Equal(["next", "like", "rating"], Train(compared, TinyData.Plan(TinyData.NextItem, TinyData.Like, TinyData.Rating) with { ComparesSingleTasks = true }).SingleTasks!.Keys);
        Assert.Null(Train(plain, TinyData.Plan(TinyData.NextItem, TinyData.Like)).SingleTasks);
    }

    /// <summary>Two tasks of different rates, labels of the teachers alone: each is calibrated to its own.</summary>
    [Fact]
    public void Train_TeachersAlone_LearnsEachTaskFromItsOwn()
    {
        using var space = new Workspace();
        var data = TinyData.Cycle(beforeLast: SplitRole.Train);
        var plan = TinyData.Plan(Low, High);
        plan = plan with { Distillation = 1, Optimization = plan.Optimization with { Epochs = 40, Patience = 40 } };
        var outcome = Train(space, plan, data);
        Assert.InRange(outcome.Metrics["auc/low"], 0.95, 1);
        Assert.InRange(outcome.Metrics["auc/high"], 0.95, 1);

        var said = ModelEvaluator.Probabilities(ModelArtifact.Load(space.Artifact()), data, plan.Tasks, SplitRole.Train);
        var labels = TaskLabels.Build(data, plan.Tasks);
        for (var k = 0; k < labels.Count; k++)
        {
            var targets = Enumerable.Range(0, data.EventCount).Where(t => data.Roles[t] == SplitRole.Train && !float.IsNaN(labels[k].Label[t])).ToArray();
            Assert.Equal(targets, Enumerable.Range(0, data.EventCount).Where(t => !float.IsNaN(said[labels[k].Name][t])));
            Assert.Equal(targets.Average(t => labels[k].Label[t]), targets.Average(t => said[labels[k].Name][t]), 0.2f);
        }
    }

    [Fact]
    public void Probabilities_OfATask_HaveTheReportsAreaUnderTheCurve()
    {
        using var space = new Workspace();
        var data = TinyData.Cycle();
        var outcome = Train(space, TinyData.Plan(TinyData.NextItem, TinyData.Like), data);
        var said = ModelEvaluator.Probabilities(ModelArtifact.Load(space.Artifact()), data, [TinyData.NextItem, TinyData.Like], SplitRole.Test)["like"];
        var label = TaskLabels.Build(data, [TinyData.Like])[0].Label;
        var area = new BinaryMetrics();
        for (var t = 0; t < data.EventCount; t++)
        {
            Assert.Equal(data.Roles[t] == SplitRole.Test && !float.IsNaN(label[t]), !float.IsNaN(said[t]));
            if (!float.IsNaN(said[t]))
                area.Add(0, said[t], label[t] > 0);
        }

        var metrics = new Dictionary<string, double>();
        area.AddTo(metrics, "like");
        Assert.Equal(outcome.Metrics["auc/like"], metrics["auc/like"], 1e-9);
        Assert.Equal(outcome.Metrics["logloss/like"], metrics["logloss/like"], 1e-6);
    }

    /// <summary>Cut off where the teacher is done and the model has an epoch: the weights are those of a run in one piece.</summary>
    [Fact]
    public void Train_CutOffAndTakenUp_EndsWithTheSameWeights()
    {
        using Workspace whole = new(), broken = new();
        var plan = TinyData.Plan(TinyData.NextItem, TinyData.Like);
        plan = plan with { Distillation = 0.7, Architecture = plan.Architecture with { Dropout = 0.2 } };
        Train(whole, plan);

        using var cancellation = new CancellationTokenSource();
        void Cut(TrainingProgressReport report)
        {
            if (report is { SingleTask: null, Epoch: 2, Stage: TrainingStage.Validating })
                cancellation.Cancel();
        }

        Assert.ThrowsAny<OperationCanceledException>(() => Train(broken, plan, progress: Cut, cancellation: cancellation.Token));
        List<string> notes = [];
        Train(broken, plan, notes: notes);
        Assert.Contains("like alone: Training goes on after epoch 3.", notes);
        Assert.Contains("Training goes on after epoch 1.", notes);
        Assert.Equal(File.ReadAllBytes(Weights(whole)), File.ReadAllBytes(Weights(broken)));

        // The check can fail: without its teacher the model is another.
        using var alone = new Workspace();
        Train(alone, plan with { Distillation = 0 });
        Assert.NotEqual(File.ReadAllBytes(Weights(whole)), File.ReadAllBytes(Weights(alone)));

        static string Weights(Workspace space) => Path.Combine(space.Artifact(), ModelArtifact.WeightsFile);
    }

    [Fact]
    public void Fingerprint_OfADistilledPlan_IsAnother()
    {
        var plan = TinyData.Plan(TinyData.Like);
        Assert.NotEqual(plan.Fingerprint(), (plan with { Distillation = 0.5 }).Fingerprint());
        Assert.NotEqual((plan with { Distillation = 0.25 }).Fingerprint(), (plan with { Distillation = 0.5 }).Fingerprint());
        Assert.Equal(plan.Fingerprint(), (plan with { ComparesSingleTasks = true }).Fingerprint());
    }

    [Theory]
    [InlineData(1.5, "give 0 to 1")]
    [InlineData(-0.1, "give 0 to 1")]
    [InlineData(double.NaN, "give 0 to 1")]
    [InlineData(0.5, "no task is one")]
    public void Check_WhatCannotBeDistilled_IsRefusedByName(double share, string why)
    {
        var refusal = Assert.Throws<TrainingException>((TinyData.Plan(TinyData.NextItem, TinyData.Rating) with { Distillation = share }).Check);
        Assert.Equal("hyperparameters.distillation", refusal.Field);
        Assert.Contains(why, refusal.Message, StringComparison.Ordinal);
    }

    private static TrainingOutcome Train(
        Workspace space, TrainingPlan plan, SequenceDataset? data = null, Action<TrainingProgressReport>? progress = null, List<string>? notes = null, CancellationToken cancellation = default) =>
        ModelTrainer.Train(
            data ?? TinyData.Cycle(), plan, space.Checkpoint, space.Artifact(), progress is null ? null : new Reporter(progress), TimeProvider.System, cancellation, note: line => notes?.Add(line));
}
