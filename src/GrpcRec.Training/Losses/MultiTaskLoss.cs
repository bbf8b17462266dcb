using GrpcRec.Engine.Models;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.Losses;

/// <summary>Σ λ·L over the tasks that have a labelled row; each L is a mean over its own rows, in nats.</summary>
internal static class MultiTaskLoss
{
    /// <param name="losses">[tasks] written: each task's loss before its weight; NaN where it has no row.</param>
    /// <returns>Scalar whose gradient is the loss's (its value is not), or null when no task has a row.</returns>
    public static Tensor? Compute(MultiTaskModel model, WindowBatch batch, bool training, Span<double> losses)
    {
        using var scope = NewDisposeScope();
        var outputs = model.Forward(batch, training);
        Tensor? total = null;
        for (var k = 0; k < outputs.Length; k++)
        {
            losses[k] = double.NaN;
            if (outputs[k] is not { } output)
                continue;
            var rows = batch.Tasks[k];
            (losses[k], var part) = rows.Task.Kind switch
            {
                TaskKind.NextItem => FusedSoftmaxLoss.Compute(output, model.Heads.OutputEmbedding, model.Heads.ItemBias, rows.Targets),
                TaskKind.Binary => WithValue(F.binary_cross_entropy_with_logits(output.squeeze(1), tensor(rows.Labels))),
                TaskKind.Multiclass => WithValue(F.cross_entropy(output, tensor(Array.ConvertAll(rows.Labels, label => (long)label)))),
                _ => throw new NotSupportedException($"There is no loss for a task of kind {rows.Task.Kind}."),
            };
            var weighted = part * rows.Task.Definition.Weight;
            total = total is null ? weighted : total + weighted;
        }

        return total?.MoveToOuterDisposeScope();
    }

    private static (double Loss, Tensor Part) WithValue(Tensor loss) => (loss.item<float>(), loss);
}
