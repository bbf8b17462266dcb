using GrpcRec.Engine.Models;
using GrpcRec.Training.Encoders;
using GrpcRec.Training.Learning;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.MultiTask;

/// <summary>Encoder and heads over one set of parameters.</summary>
internal sealed class MultiTaskModel : IDisposable
{
    private readonly SequenceEncoder _encoder;

    /// <summary>Fresh weights from torch's global generator.</summary>
    public MultiTaskModel(ModelManifest manifest, double dropout)
    {
        Parameters = new ModelParameters(manifest);
        _encoder = SequenceEncoder.Create(Parameters, dropout);
        Heads = new TaskHeads(Parameters, dropout);
    }

    public ModelParameters Parameters { get; }

    public TaskHeads Heads { get; }

    /// <summary>
    /// What each task's head gives at its labelled rows, in the tasks' order: [n, C] logits, [n, E] queries for next_item, null where a task has
    /// no row. Belongs to the caller's dispose scope.
    /// </summary>
    public Tensor?[] Forward(WindowBatch batch, bool training)
    {
        using var scope = NewDisposeScope();
        var states = _encoder.Forward(batch.Events, batch.Packing, training);
        var trunk = batch.CandidateRows.Length == 0
            ? null
            : Heads.Trunk.Forward(states.index_select(0, batch.CandidateRows), batch.CandidateItems, [.. batch.CandidateFeatures.Select(ids => tensor(ids))], training);
        var memory = Heads.Memory(batch.Events[ModelTensors.ItemEmbedding], batch.Packing, training);
        var outputs = new Tensor?[batch.Tasks.Length];
        for (var k = 0; k < outputs.Length; k++)
        {
            var rows = batch.Tasks[k];
            if (rows.Rows.Length == 0)
                continue;
            var task = rows.Task;
            outputs[k] = (task.Kind == TaskKind.NextItem
                ? Heads.NextItemQuery(states.index_select(0, rows.Rows), memory?.index_select(0, rows.Rows))
                : task.NeedsCandidate ? Candidate(task.Definition, trunk!, rows.Rows, batch)
                : Heads.Logits(task.Name, states.index_select(0, rows.Rows))).MoveToOuterDisposeScope();
        }

        return outputs;
    }

    /// <returns>[n, C] at these rows of the trunk's; of a task that needs another's outcome first, <see cref="Engine.Steps.ChainedLogit"/>.</returns>
    private Tensor Candidate(TaskDefinition task, IReadOnlyDictionary<string, Tensor> trunk, long[] rows, WindowBatch batch)
    {
        var own = Heads.Logits(task.Name, trunk[task.Name].index_select(0, rows));
        if (Parameters.Has(ModelTensors.TaskItemBias(task.Name)))
            own = own + Parameters[ModelTensors.TaskItemBias(task.Name)].index_select(0, Array.ConvertAll(rows, row => batch.CandidateItems[row])).unsqueeze(1);
        if (task.Given is null)
            return own;
        var given = Candidate(Array.Find(batch.Tasks, one => one.Task.Name == task.Given)!.Task.Definition, trunk, rows, batch);
        return stack([-own, -given, -(own + given)], 2).logsumexp(2).neg();
    }

    public void Dispose() => Parameters.Dispose();
}
