using GrpcRec.Engine.Models;
using GrpcRec.Training.Encoders;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.MultiTask;

/// <summary>
/// What stands on the hidden state: the bottom that candidate tasks share, a tower for each task, and the query of next_item.
/// Equations: <see cref="ModelTensors"/>. Dropout, in training alone, on the candidate's embedding and on the bottom.
/// </summary>
internal sealed class TaskHeads(ModelParameters parameters, double dropout)
{
    /// <param name="h">[N, H]</param>
    /// <returns>[N, E] query, whose inner product with an item's output embedding is that item's logit, less its bias.</returns>
    public Tensor NextItemQuery(Tensor h) =>
        F.linear(h, parameters[ModelTensors.NextItemProjectionWeight], parameters[ModelTensors.NextItemProjectionBias]);

    /// <summary>[V, E] output embedding of next_item.</summary>
    public Tensor OutputEmbedding =>
        parameters[parameters.Manifest.Encoder.TiedItemEmbedding ? ModelTensors.ItemEmbedding : ModelTensors.NextItemEmbedding];

    /// <summary>[V]</summary>
    public Tensor ItemBias => parameters[ModelTensors.NextItemBias];

    /// <param name="h">[N, H]</param>
    /// <param name="candidates">[N] int64 dense item ids.</param>
    /// <returns>[N, S]</returns>
    public Tensor Bottom(Tensor h, Tensor candidates, bool training)
    {
        using var scope = NewDisposeScope();
        var e = Drop(parameters.Embed(ModelTensors.ItemEmbedding, candidates), training);
        var interaction = F.linear(h, parameters[ModelTensors.BottomProjectionWeight]) * e;
        var sum = F.linear(h, parameters[ModelTensors.BottomHiddenWeight], parameters[ModelTensors.BottomBias])
            + F.linear(e, parameters[ModelTensors.BottomItemWeight])
            + F.linear(interaction, parameters[ModelTensors.BottomInteractionWeight]);
        return Drop(sum.relu(), training).MoveToOuterDisposeScope();
    }

    /// <param name="x">[N, S] bottom for a task with a candidate, [N, H] hidden state for one without.</param>
    /// <returns>[N, C] logits.</returns>
    public Tensor Logits(string task, Tensor x)
    {
        using var scope = NewDisposeScope();
        if (parameters.Has(ModelTensors.TowerWeight(task)))
            x = F.linear(x, parameters[ModelTensors.TowerWeight(task)], parameters[ModelTensors.TowerBias(task)]).relu();
        return F.linear(x, parameters[ModelTensors.OutputWeight(task)], parameters[ModelTensors.OutputBias(task)]).MoveToOuterDisposeScope();
    }

    private Tensor Drop(Tensor x, bool training) => training && dropout > 0 ? F.dropout(x, dropout, training: true) : x;
}
