using GrpcRec.Engine.Models;
using GrpcRec.Training.Encoders;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.MultiTask;

/// <summary>
/// What stands between the encoder and the towers of the tasks with a candidate (but next_item), as it is trained: one bottom for all, or
/// experts that each task mixes. Equations: <see cref="ModelTensors"/>. Dropout, in training alone, on the candidate's embeddings and on what
/// the towers read.
/// </summary>
internal sealed class TaskTrunk(ModelParameters parameters, double dropout)
{
    private readonly EncoderManifest _encoder = parameters.Manifest.Encoder;
    private readonly string[] _tasks = ModelTensors.TrunkTasks(parameters.Manifest);

    /// <param name="h">[N, H]</param>
    /// <param name="candidates">[N] int64 dense item ids.</param>
    /// <param name="requests">[N] int64 for each request feature, in the manifest's order.</param>
    /// <returns>By task: [N, S] what its tower reads. Of the caller's scope.</returns>
    public IReadOnlyDictionary<string, Tensor> Forward(Tensor h, Tensor candidates, IReadOnlyList<Tensor> requests, bool training)
    {
        using var scope = NewDisposeScope();
        var e = Drop(parameters.Embed(ModelTensors.ItemEmbedding, candidates), training);
        var s = State(h, requests, training);
        var projection = F.linear(s, parameters[ModelTensors.BottomProjectionWeight]);
        var interaction = projection * e;
        if (_encoder.Trunk.Kind == TrunkKind.SharedBottom)
        {
            var bottom = Drop(Bottom(s, e, interaction), training).MoveToOuterDisposeScope();
            return _tasks.ToDictionary(task => task, _ => bottom);
        }

        var shared = cat([s, e, interaction], 1);
        var own = _tasks.ToDictionary(task => task, task =>
        {
            if (_encoder.Trunk.Kind != TrunkKind.Stem)
                return shared;
            var table = Drop(parameters.Embed(ModelTensors.TaskItemEmbedding(task), candidates), training);
            return cat([s, table, projection * table], 1);
        });
        return Mixtures(own, shared).ToDictionary(pair => pair.Key, pair => Drop(pair.Value, training).MoveToOuterDisposeScope());
    }

    /// <returns>[N, H + R]</returns>
    private Tensor State(Tensor h, IReadOnlyList<Tensor> requests, bool training)
    {
        var features = parameters.Manifest.RequestFeatures;
        return features.Count == 0
            ? h
            : cat([h, .. features.Zip(requests, (feature, ids) => Drop(parameters.Embed(ModelTensors.RequestFeature(feature.Name), ids), training))], 1);
    }

    private Tensor Bottom(Tensor s, Tensor e, Tensor interaction) =>
        (F.linear(s, parameters[ModelTensors.BottomHiddenWeight], parameters[ModelTensors.BottomBias])
            + F.linear(e, parameters[ModelTensors.BottomItemWeight])
            + F.linear(interaction, parameters[ModelTensors.BottomInteractionWeight])).relu();

    /// <param name="own">By task: [N, K] what its experts and gate of the first level read.</param>
    /// <param name="shared">[N, K] the same of the shared ones.</param>
    private Dictionary<string, Tensor> Mixtures(Dictionary<string, Tensor> own, Tensor shared)
    {
        var trunk = _encoder.Trunk;
        for (var level = 0; level < trunk.Levels; level++)
        {
            var n = level;
            var sharedExperts = Experts(
                shared, trunk.SharedExperts, i => ModelTensors.SharedExpertWeight(n, i), i => ModelTensors.SharedExpertBias(n, i));
            var experts = own.ToDictionary(pair => pair.Key, pair => Experts(
                pair.Value, trunk.TaskExperts, i => ModelTensors.TaskExpertWeight(n, pair.Key, i), i => ModelTensors.TaskExpertBias(n, pair.Key, i)));
            var mixtures = own.ToDictionary(pair => pair.Key, pair => Mix(
                pair.Value, ModelTensors.GateWeight(n, pair.Key), ModelTensors.GateBias(n, pair.Key), [.. ExpertsOf(pair.Key, experts), sharedExperts]));
            if (level < trunk.Levels - 1)
                shared = Mix(shared, ModelTensors.SharedGateWeight(n), ModelTensors.SharedGateBias(n), [.. _tasks.Select(task => experts[task]), sharedExperts]);
            own = mixtures;
        }

        return own;
    }

    /// <returns>
    /// What a task's gate mixes besides the shared experts: its own; with stem those of all, of which its loss changes its own alone, so that tasks at
    /// odds do not pull at one table.
    /// </returns>
    private IEnumerable<Tensor?> ExpertsOf(string task, Dictionary<string, Tensor?> experts) => _encoder.Trunk.Kind == TrunkKind.Stem
        ? _tasks.Select(other => other == task ? experts[other] : experts[other]?.detach())
        : [experts[task]];

    /// <returns>[N, count, S], from one product for all of them; null where there are none.</returns>
    private Tensor? Experts(Tensor input, int count, Func<int, string> weight, Func<int, string> bias)
    {
        if (count == 0)
            return null;
        Tensor All(Func<int, string> name) => cat([.. Enumerable.Range(0, count).Select(i => (Tensor)parameters[name(i)])], 0);
        return F.linear(input, All(weight), All(bias)).relu().view(-1, count, _encoder.BottomSize);
    }

    /// <returns>[N, S]</returns>
    private Tensor Mix(Tensor input, string weight, string bias, Tensor?[] experts)
    {
        var gate = F.softmax(F.linear(input, parameters[weight], parameters[bias]), 1);
        return gate.unsqueeze(1).bmm(cat([.. experts.Where(one => one is not null).Select(one => one!)], 1)).squeeze(1);
    }

    private Tensor Drop(Tensor x, bool training) => training && dropout > 0 ? F.dropout(x, dropout, training: true) : x;
}
