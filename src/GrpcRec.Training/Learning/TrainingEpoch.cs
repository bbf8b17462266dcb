using GrpcRec.Training.Datasets;
using GrpcRec.Training.Losses;
using GrpcRec.Training.MultiTask;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace GrpcRec.Training.Learning;

/// <summary>Sums of losses while an epoch runs, and its steps: forward, loss, backward, clip, Adam.</summary>
internal sealed class TrainingEpoch(SequenceDataset dataset, IReadOnlyList<TaskLabels> tasks, MultiTaskModel model, Adam optimizer, double clipNorm)
{
    private readonly double[] _losses = new double[tasks.Count];
    private readonly double[] _sums = new double[tasks.Count];
    private readonly long[] _counts = new long[tasks.Count];
    private readonly Parameter[] _trained = [.. model.Parameters.Trained];
    private double _total, _norm;

    public long Steps { get; private set; }

    public double Loss => Steps == 0 ? 0 : _total / Steps;

    public double GradientNorm => Steps == 0 ? 0 : _norm / Steps;

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
    /// <exception cref="TrainingException">A loss or the gradient is not finite; the weights of the last step are kept.</exception>
    public void Step(ReadOnlySpan<EventWindow> windows, long step)
    {
        using var scope = NewDisposeScope();
        using var batch = WindowBatch.Create(dataset, tasks, SplitRole.Train, model.ReadsBehaviors, windows);
        optimizer.zero_grad();
        using var loss = MultiTaskLoss.Compute(model, batch, training: true, _losses);
        if (loss is null)
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

        loss.backward();
        var norm = nn.utils.clip_grad_norm_(_trained, clipNorm);
        if (!double.IsFinite(norm))
            throw Diverged("the gradient", step);
        optimizer.step();
        _total += total;
        _norm += norm;
        Steps++;
    }

    private static TrainingException Diverged(string what, long step) =>
        new($"At step {step} {what} is not a finite number. Lower Optimization.LearningRate, or Optimization.GradientClipNorm, and check the data's values.")
        {
            Field = "Optimization.LearningRate",
        };
}
