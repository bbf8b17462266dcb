using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Losses;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Tests.Learning;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.Losses;

[Collection(TorchTests.Name)]
public class MultiTaskLossTests
{
    private static readonly TaskDefinition[] Tasks = [TinyData.NextItem, TinyData.Like, TinyData.Category];

    [Fact]
    public void Compute_UnlabelledRows_DoNotMoveTheHead()
    {
        // The value of an unlabelled target is changed to another unlabelled one by its role: nothing may change.
        var data = TinyData.Cycle();
        var labels = TaskLabels.Build(data, [TinyData.Like]);
        var before = Gradient(data, labels, ModelTensors.OutputWeight("like"));
        for (var t = 0; t < data.EventCount; t++)
        {
            if (data.Roles[t] != SplitRole.Train)
                labels[0].Label[t] = 1 - labels[0].Label[t];
        }

        Assert.Equal(before, Gradient(data, labels, ModelTensors.OutputWeight("like")));

        // The check can fail: a labelled row does move it.
        var labelled = Enumerable.Range(0, data.EventCount).First(t => data.Roles[t] == SplitRole.Train && !float.IsNaN(labels[0].Label[t]));
        labels[0].Label[labelled] = 1 - labels[0].Label[labelled];
        Assert.NotEqual(before, Gradient(data, labels, ModelTensors.OutputWeight("like")));
    }

    [Fact]
    public void Compute_TaskWithoutAnyLabelInTheBatch_LeavesItsHeadAlone()
    {
        var data = TinyData.Cycle();
        var labels = TaskLabels.Build(data, Tasks);
        Array.Fill(labels[1].Label, float.NaN);
        using var scope = NewDisposeScope();
        using var model = Model(data, labels);
        using var batch = WindowBatch.Create(data, labels, SplitRole.Train, new ModelInputs(model.Parameters.Manifest, data), [.. EventWindow.ForTraining(data, 10)]);
        var losses = new double[3];

        using var loss = MultiTaskLoss.Sum(MultiTaskLoss.Compute(model, batch, training: true, losses), [1, 1, 1]);
        loss!.backward();

        Assert.True(double.IsNaN(losses[1]));
        Assert.Null(model.Parameters[ModelTensors.OutputWeight("like")].grad);
        Assert.NotNull(model.Parameters[ModelTensors.OutputWeight("category")].grad);
    }

    [Fact]
    public void Compute_PaddedBatch_EqualsWindowsOneByOne()
    {
        // Padding must be invisible: the mean over a batch of unlike windows is the weighted mean over each alone.
        var data = TinyData.Cycle();
        var labels = TaskLabels.Build(data, [TinyData.NextItem]);
        EventWindow[] windows = [new(0, 0, 3, 1), new(1, 14, 9, 15), new(2, 28, 1, 29)];
        using var scope = NewDisposeScope();
        using var model = Model(data, labels);

        var whole = Loss(windows);
        var parts = windows.Sum(window => window.Length * Loss([window])) / windows.Sum(window => window.Length);

        Assert.Equal(whole, parts, 1e-5);

        double Loss(EventWindow[] some)
        {
            var losses = new double[1];
            using var batch = WindowBatch.Create(data, labels, SplitRole.Train, new ModelInputs(model.Parameters.Manifest, data), some);
            MultiTaskLoss.Compute(model, batch, training: false, losses);
            return losses[0];
        }
    }

    /// <summary>Cross-entropy is linear in its label: three parts of what happened and one of what a teacher says.</summary>
    [Fact]
    public void Compute_SoftenedLabels_GiveTheMixtureOfBothGradients()
    {
        var data = TinyData.Cycle();
        var labels = TaskLabels.Build(data, [TinyData.Like])[0];
        var noise = new Random(1);
        float[] teacher = [.. labels.Label.Select(label => noise.Next(4) == 0 ? float.NaN : noise.NextSingle())];
        var (hard, soft, mixed) = (Of(labels), Of(labels.Softened(teacher, 1)), Of(labels.Softened(teacher, 0.25)));
        for (var j = 0; j < hard.Length; j++)
            Assert.Equal((0.75f * hard[j]) + (0.25f * soft[j]), mixed[j], 1e-6f);
        Assert.Equal(hard, Of(labels.Softened(teacher, 0)));
        Assert.NotEqual(hard, soft);

        // What happened is what metrics are made of.
        Assert.Same(labels.Label, labels.Softened(teacher, 1).Label);

        float[] Of(TaskLabels task) => Gradient(data, [task], ModelTensors.OutputWeight("like"));
    }

    private static MultiTaskModel Model(SequenceDataset data, IReadOnlyList<TaskLabels> labels)
    {
        random.manual_seed(5);
        var plan = TinyData.Plan([.. labels.Select(label => label.Definition)]);
        return new MultiTaskModel(TrainingPlanRules.Manifest(plan, data, labels, DateTimeOffset.UnixEpoch), dropout: 0);
    }

    private static float[] Gradient(SequenceDataset data, IReadOnlyList<TaskLabels> labels, string tensor)
    {
        using var scope = NewDisposeScope();
        using var model = Model(data, labels);
        using var batch = WindowBatch.Create(data, labels, SplitRole.Train, new ModelInputs(model.Parameters.Manifest, data), [.. EventWindow.ForTraining(data, 10)]);
        using var loss = MultiTaskLoss.Sum(MultiTaskLoss.Compute(model, batch, training: true, new double[labels.Count]), [.. labels.Select(_ => 1.0)]);
        loss!.backward();
        return model.Parameters[tensor].grad!.data<float>().ToArray();
    }
}
