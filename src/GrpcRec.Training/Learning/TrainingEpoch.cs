using GrpcRec.Training.Datasets;
using GrpcRec.Training.Losses;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Optimizers;
using GrpcRec.Training.Weighting;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace GrpcRec.Training.Learning;

/// <summary>Sums of losses while an epoch runs, and its steps: forward, losses, weighting, backward, clip, step.</summary>
internal sealed class TrainingEpoch(
    SequenceDataset dataset, IReadOnlyList<TaskLabels> tasks, MultiTaskModel model, ParameterOptimizer optimizer, TaskWeighting weighting, NextItemLoss nextItem, ModelInputs inputs, double clipNorm)
{
    /// <summary>Steps between two looks at how the tasks' gradients stand to each other: each costs a backward pass for every task.</summary>
    private const int StepsBetweenLooks = 25;

    private readonly double[] _factors = [.. tasks.Select(task => task.Definition.Weight)];
    private readonly double[] _weights = new double[tasks.Count];
    private readonly double[] _lossesAfter = new double[tasks.Count];
    private readonly (string Name, Parameter Parameter)[] _named = [.. model.Parameters.Named];
    private readonly double[] _losses = new double[tasks.Count];
    private readonly double[] _sums = new double[tasks.Count];
    private readonly long[] _counts = new long[tasks.Count];
    private readonly Parameter[] _trained = [.. model.Parameters.Trained];
    private double _total, _norm;

    public long Steps { get; private set; }

    public double Loss => Steps == 0 ? 0 : _total / Steps;

    public double GradientNorm => Steps == 0 ? 0 : _norm / Steps;

    /// <summary>How the tasks' gradients stood to each other.</summary>
    public GradientCosines Cosines { get; } = new(tasks.Count);

    /// <summary>[K] mean losses; NaN: none.</summary>
    public double[] MeanLosses => [.. _sums.Select((sum, k) => _counts[k] > 0 ? sum / _counts[k] : double.NaN)];

    public IReadOnlyDictionary<string, double> TaskLosses
    {
        get
        {
            var losses = new Dictionary<string, double>(StringComparer.Ordinal);
            for (var k = 0; k < tasks.Count; k++)
            {
                if (_counts[k] > 0)
                    losses[tasks[k].Name] = _sums[k] / _counts[k];
            }

            return losses;
        }
    }

    /// <param name="step">For messages.</param>
    /// <param name="learningRate">Of this step.</param>
    /// <exception cref="TrainingException">A loss or the gradient is not finite; the weights of the last step are kept.</exception>
    public void Step(ReadOnlySpan<EventWindow> windows, long step, double learningRate)
    {
        using var scope = NewDisposeScope();
        using var batch = WindowBatch.Create(dataset, tasks, SplitRole.Train, inputs, windows);
        optimizer.ClearGradients();
        nextItem.Draw();
        var parts = MultiTaskLoss.Compute(model, batch, training: true, _losses, nextItem);
        if (Array.TrueForAll(parts, part => part is null))
            return;
        double total = 0;
        for (var k = 0; k < tasks.Count; k++)
        {
            if (batch.Tasks[k].Rows.Length == 0)
                continue;
            if (!double.IsFinite(_losses[k]))
                throw Diverged($"the loss of task {tasks[k].Name}", step);
            total += tasks[k].Definition.Weight * _losses[k];
            _sums[k] += _losses[k];
            _counts[k]++;
        }

        Backward(parts);
        var norm = nn.utils.clip_grad_norm_(_trained, clipNorm);
        if (!double.IsFinite(norm))
            throw Diverged("the gradient", step);
        optimizer.Step(learningRate);
        if (weighting.NeedsLossesAfterStep)
        {
            using var frozen = no_grad();
            MultiTaskLoss.Compute(model, batch, training: true, _lossesAfter, nextItem);
            weighting.AfterStep(_lossesAfter);
        }

        _total += total;
        _norm += norm;
        Steps++;
    }

    /// <summary>Leaves the weighted gradient in the parameters.</summary>
    private void Backward(Tensor?[] parts)
    {
        var looks = tasks.Count > 1 && Steps % StepsBetweenLooks == 0;
        if (looks || weighting.NeedsGradients)
        {
            using var gradients = TaskGradients.Compute(_named, parts);
            if (looks)
                Cosines.Add(gradients.Products);
            weighting.Weigh(_losses, gradients.Products, _weights);
            if (weighting.NeedsGradients)
            {
                gradients.Apply(_weights, _factors);
                return;
            }
        }
        else
        {
            weighting.Weigh(_losses, products: null, _weights);
        }

        using var total = MultiTaskLoss.Sum(parts, _weights);
        total!.backward();
    }

    private static TrainingException Diverged(string what, long step) =>
        new($"At step {step} {what} is not a finite number. Lower hyperparameters.learning_rate, or hyperparameters.gradient_clip_norm, and check the data's values.")
        {
            Field = "hyperparameters.learning_rate",
        };
}
