using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Scalar;

/// <summary>What lies between the encoder and the towers of the candidate tasks: one bottom, or mixtures of experts.</summary>
/// <param name="tasks">The candidate tasks but next_item, in the manifest's order.</param>
internal sealed class ScalarTrunk(ScalarTensors tensors, string[] tasks)
{
    private readonly TrunkManifest _trunk = tensors.Manifest.Encoder.Trunk;

    /// <param name="s">[H + R] the encoder's output ‖ the embeddings of the request's features.</param>
    /// <param name="candidate">Dense id.</param>
    /// <returns>[tasks][S] what each task's tower reads.</returns>
    public double[][] Run(double[] s, int candidate)
    {
        // The interaction x = p∘e, p = W·s.
        var projection = tensors.Affine(s, ModelTensors.BottomProjectionWeight, null);
        var (item, interaction) = Read(projection, ModelTensors.ItemEmbedding, candidate);
        if (_trunk.Kind == TrunkKind.SharedBottom)
        {
            var bottom = Bottom(s, item, interaction);
            return Array.ConvertAll(tasks, _ => bottom);
        }

        // At level 0 all read s ‖ e ‖ x, with stem each task's part an e of its own; above, each task's part reads its own mixture and the shared
        // part the shared one.
        double[] shared = [.. s, .. item, .. interaction];
        var own = Array.ConvertAll(tasks, task =>
        {
            if (_trunk.Kind != TrunkKind.Stem)
                return shared;
            var (e, x) = Read(projection, ModelTensors.TaskItemEmbedding(task), candidate);
            return [.. s, .. e, .. x];
        });
        for (var level = 0; level < _trunk.Levels; level++)
            (own, shared) = Level(level, own, shared);
        return own;
    }

    /// <returns>[E] the candidate's row, and [E] what it makes with the projection.</returns>
    private (double[] Item, double[] Interaction) Read(double[] projection, string table, int candidate)
    {
        var item = tensors.Row(table, candidate, projection.Length);
        return (item, [.. projection.Zip(item, (p, e) => p * e)]);
    }

    /// <summary>relu(W_s·s + W_e·e + W_x·x + b).</summary>
    private double[] Bottom(double[] s, double[] item, double[] interaction)
    {
        var bottom = tensors.Affine(s, ModelTensors.BottomHiddenWeight, ModelTensors.BottomBias);
        var fromItem = tensors.Affine(item, ModelTensors.BottomItemWeight, null);
        var fromInteraction = tensors.Affine(interaction, ModelTensors.BottomInteractionWeight, null);
        for (var k = 0; k < bottom.Length; k++)
            bottom[k] = Math.Max(0, bottom[k] + fromItem[k] + fromInteraction[k]);
        return bottom;
    }

    /// <returns>[tasks][S] each task's mixture, and the shared one; the last level has none and gives its input.</returns>
    private (double[][] Own, double[] Shared) Level(int level, double[][] own, double[] shared)
    {
        var sharedExperts = new double[_trunk.SharedExperts][];
        for (var expert = 0; expert < sharedExperts.Length; expert++)
            sharedExperts[expert] = tensors.Relu(shared, ModelTensors.SharedExpertWeight(level, expert), ModelTensors.SharedExpertBias(level, expert));
        var taskExperts = new double[tasks.Length][][];
        for (var task = 0; task < tasks.Length; task++)
        {
            taskExperts[task] = new double[_trunk.TaskExperts][];
            for (var expert = 0; expert < _trunk.TaskExperts; expert++)
                taskExperts[task][expert] = tensors.Relu(own[task], ModelTensors.TaskExpertWeight(level, tasks[task], expert), ModelTensors.TaskExpertBias(level, tasks[task], expert));
        }

        double[][] all = [.. taskExperts.SelectMany(experts => experts), .. sharedExperts];
        var mixtures = new double[tasks.Length][];
        for (var task = 0; task < tasks.Length; task++)
        {
            var gate = tensors.Affine(own[task], ModelTensors.GateWeight(level, tasks[task]), ModelTensors.GateBias(level, tasks[task]));
            mixtures[task] = Mix(gate, _trunk.Kind == TrunkKind.Stem ? all : [.. taskExperts[task], .. sharedExperts]);
        }

        if (level == _trunk.Levels - 1)
            return (mixtures, shared);
        return (mixtures, Mix(tensors.Affine(shared, ModelTensors.SharedGateWeight(level), ModelTensors.SharedGateBias(level)), all));
    }

    /// <summary>Σ softmax(gate)ᵢ·expertᵢ. The largest is subtracted first, so that no power overflows.</summary>
    private static double[] Mix(double[] gate, double[][] experts)
    {
        var largest = gate.Max();
        var weights = Array.ConvertAll(gate, value => Math.Exp(value - largest));
        var sum = weights.Sum();
        var mixture = new double[experts[0].Length];
        for (var expert = 0; expert < experts.Length; expert++)
        {
            for (var s = 0; s < mixture.Length; s++)
                mixture[s] += weights[expert] / sum * experts[expert][s];
        }

        return mixture;
    }
}
