using GrpcRec.Engine.Models;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.Losses;

/// <summary>Each task's loss over its own labelled rows, a mean in nats; of a regression the squared error in squared standard deviations.</summary>
internal static class MultiTaskLoss
{
    /// <param name="losses">[tasks] written: each task's loss; NaN where it has no row.</param>
    /// <param name="nextItem">Null: the full softmax.</param>
    /// <returns>[tasks] scalars whose gradients are the losses' (their values are not); null where a task has no row. Of the caller's scope.</returns>
    public static Tensor?[] Compute(MultiTaskModel model, WindowBatch batch, bool training, Span<double> losses, NextItemLoss? nextItem = null)
    {
        using var scope = NewDisposeScope();
        var outputs = model.Forward(batch, training);
        var parts = new Tensor?[outputs.Length];
        for (var k = 0; k < outputs.Length; k++)
        {
            losses[k] = double.NaN;
            if (outputs[k] is not { } output)
                continue;
            var rows = batch.Tasks[k];
            (losses[k], var part) = rows.Task.Kind switch
            {
                TaskKind.NextItem when nextItem is not null => nextItem.Compute(output, model.Heads, rows),
                TaskKind.NextItem => FusedSoftmaxLoss.Compute(output, model.Heads, rows),
                TaskKind.Binary => WithValue(F.binary_cross_entropy_with_logits(output.squeeze(1), tensor(rows.Labels))),
                TaskKind.Regression => WithValue(F.mse_loss(output.squeeze(1), tensor(Array.ConvertAll(rows.Labels, rows.Task.Standardize)))),
                TaskKind.Multiclass => WithValue(F.cross_entropy(output, tensor(Array.ConvertAll(rows.Labels, label => (long)label)))),
                _ => throw new NotSupportedException($"There is no loss for a task of kind {rows.Task.Kind}."),
            };
            parts[k] = part.MoveToOuterDisposeScope();
        }

        return parts;
    }

    /// <returns>Σ weight·part over the tasks that have one; null when none has. Of the caller's scope.</returns>
    public static Tensor? Sum(Tensor?[] parts, ReadOnlySpan<double> weights)
    {
        using var scope = NewDisposeScope();
        Tensor? total = null;
        for (var k = 0; k < parts.Length; k++)
        {
            if (parts[k] is not { } part)
                continue;
            var weighted = part * tensor((float)weights[k]);
            total = total is null ? weighted : total + weighted;
        }

        return total?.MoveToOuterDisposeScope();
    }

    private static (double Loss, Tensor Part) WithValue(Tensor loss) => (loss.item<float>(), loss);
}
