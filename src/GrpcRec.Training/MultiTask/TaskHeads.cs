using GrpcRec.Engine.Models;
using GrpcRec.Training.Encoders;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.MultiTask;

/// <summary>
/// What stands on the hidden state: the trunk of the tasks with a candidate, a tower for each task, and the query of next_item.
/// Equations: <see cref="ModelTensors"/>.
/// </summary>
internal sealed class TaskHeads(ModelParameters parameters, double dropout)
{
    public TaskTrunk Trunk { get; } = new(parameters, dropout);

    /// <param name="h">[N, H]</param>
    /// <param name="memory">[N, E] from <see cref="Memory"/>; null: the model has none.</param>
    /// <returns>[N, E] query, whose inner product with an item's output embedding is that item's logit, less its bias.</returns>
    public Tensor NextItemQuery(Tensor h, Tensor? memory)
    {
        var query = F.linear(h, parameters[ModelTensors.NextItemProjectionWeight], parameters[ModelTensors.NextItemProjectionBias]);
        return memory is null ? query : query + (memory * parameters[ModelTensors.MemoryGain]);
    }

    /// <param name="items">[N] int64, as the encoder reads them.</param>
    /// <returns>[N, E] after each event the fading sum of the items' output embeddings, with dropout in training; null: the model has none.</returns>
    public Tensor? Memory(Tensor items, PackedSequences packing, bool training)
    {
        if (!parameters.Has(ModelTensors.MemoryDecay))
            return null;
        using var scope = NewDisposeScope();
        var read = OutputEmbedding.index_select(0, items);
        if (training && dropout > 0)
            read = F.dropout(read, dropout, training: true);
        return LinearScan.Run(parameters[ModelTensors.MemoryDecay].sigmoid().expand(read.shape), read, packing).MoveToOuterDisposeScope();
    }

    /// <summary>[V, E] output embedding of next_item.</summary>
    public Tensor OutputEmbedding =>
        parameters[parameters.Manifest.Encoder.TiedItemEmbedding ? ModelTensors.ItemEmbedding : ModelTensors.NextItemEmbedding];

    /// <summary>[V]</summary>
    public Tensor ItemBias => parameters[ModelTensors.NextItemBias];

    /// <summary>[D]; null: the model has none.</summary>
    public Tensor? RepeatTerm => parameters.Has(ModelTensors.RepeatTerm) ? parameters[ModelTensors.RepeatTerm] : null;

    /// <param name="x">[N, S] of the trunk for a task with a candidate, [N, H] hidden state for one without.</param>
    /// <returns>[N, C] logits.</returns>
    public Tensor Logits(string task, Tensor x)
    {
        using var scope = NewDisposeScope();
        if (parameters.Has(ModelTensors.TowerWeight(task)))
            x = F.linear(x, parameters[ModelTensors.TowerWeight(task)], parameters[ModelTensors.TowerBias(task)]).relu();
        return F.linear(x, parameters[ModelTensors.OutputWeight(task)], parameters[ModelTensors.OutputBias(task)]).MoveToOuterDisposeScope();
    }
}
