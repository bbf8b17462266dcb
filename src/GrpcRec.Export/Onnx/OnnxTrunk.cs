using GrpcRec.Engine.Models;

namespace GrpcRec.Export.Onnx;

/// <summary>What lies between the encoder and the towers of the candidate tasks, for [B, N] candidates at once.</summary>
/// <param name="tasks">The candidate tasks but next_item, in the manifest's order.</param>
internal sealed class OnnxTrunk(OnnxGraph graph, string[] tasks)
{
    public const string CandidateIds = "candidate_ids";

    /// <summary>Input with the indices [B] of a request feature.</summary>
    public static string RequestInput(string feature) => "request." + feature;

    private TrunkManifest Trunk => graph.Manifest.Encoder.Trunk;

    /// <returns>[tasks] names of what each task's tower reads, each [B, N, S].</returns>
    public string[] Build()
    {
        // What is known of the sequence and its request, s = h ‖ r: [B, 1, H + R].
        string[] parts = [OnnxEncoder.Hidden, .. graph.Manifest.RequestFeatures.Select(feature => graph.Rows(ModelTensors.RequestFeature(feature.Name), RequestInput(feature.Name)))];
        var state = graph.Unsqueeze(graph.Concat(-1, parts), 1);

        // The interaction x = p∘e, p = W·s.
        var projection = graph.Product(state, ModelTensors.BottomProjectionWeight);
        var (item, interaction) = Read(projection, ModelTensors.ItemEmbedding);
        if (Trunk.Kind == TrunkKind.SharedBottom)
        {
            var bottom = Bottom(state, item, interaction);
            return Array.ConvertAll(tasks, _ => bottom);
        }

        // s beside each candidate: [B, 1, H + R] to [B, N, H + R].
        var shape = graph.Node("Shape", [CandidateIds]);
        var each = graph.Node("Expand", [state, graph.Concat(0, [shape, graph.Integers(1)])]);
        var shared = graph.Concat(-1, [each, item, interaction]);
        var own = Array.ConvertAll(tasks, task =>
        {
            if (Trunk.Kind != TrunkKind.Stem)
                return shared;
            var (e, x) = Read(projection, ModelTensors.TaskItemEmbedding(task));
            return graph.Concat(-1, [each, e, x]);
        });
        for (var level = 0; level < Trunk.Levels; level++)
            (own, shared) = Level(level, own, shared);
        return own;
    }

    /// <returns>[B, N, E] the candidates' rows, and [B, N, E] what they make with the projection.</returns>
    private (string Item, string Interaction) Read(string projection, string table)
    {
        var item = graph.Rows(table, CandidateIds);
        return (item, graph.Node("Mul", [projection, item]));
    }

    /// <summary>relu(W_s·s + W_e·e + W_x·x + b).</summary>
    private string Bottom(string state, string item, string interaction)
    {
        var fromState = graph.Sum(graph.Product(state, ModelTensors.BottomHiddenWeight), graph.Weight(ModelTensors.BottomBias));
        var fromItem = graph.Sum(graph.Product(item, ModelTensors.BottomItemWeight), graph.Product(interaction, ModelTensors.BottomInteractionWeight));
        return graph.Relu(graph.Sum(fromState, fromItem));
    }

    /// <returns>[tasks] each task's mixture, and the shared one; the last level has none and gives its input.</returns>
    private (string[] Own, string Shared) Level(int level, string[] own, string shared)
    {
        var sharedExperts = Enumerable.Range(0, Trunk.SharedExperts)
            .Select(expert => Expert(shared, ModelTensors.SharedExpertWeight(level, expert), ModelTensors.SharedExpertBias(level, expert))).ToArray();
        var taskExperts = tasks.Select((name, task) => Enumerable.Range(0, Trunk.TaskExperts)
            .Select(expert => Expert(own[task], ModelTensors.TaskExpertWeight(level, name, expert), ModelTensors.TaskExpertBias(level, name, expert))).ToArray()).ToArray();
        string[] all = [.. taskExperts.SelectMany(experts => experts), .. sharedExperts];
        string[] mixtures = [.. tasks.Select((name, task) => Mix(
            own[task], ModelTensors.GateWeight(level, name), ModelTensors.GateBias(level, name), Trunk.Kind == TrunkKind.Stem ? all : [.. taskExperts[task], .. sharedExperts]))];
        if (level == Trunk.Levels - 1)
            return (mixtures, shared);
        return (mixtures, Mix(shared, ModelTensors.SharedGateWeight(level), ModelTensors.SharedGateBias(level), all));
    }

    /// <summary>relu(W·x + b), [B, N, 1, S]: with the axis along which experts stand.</summary>
    private string Expert(string x, string weight, string bias) =>
        graph.Unsqueeze(graph.Relu(graph.Sum(graph.Product(x, weight), graph.Weight(bias))), 2);

    /// <summary>Σ softmax(W·x + b)ᵢ·expertᵢ as a product [B, N, 1, n]·[B, N, n, S].</summary>
    private string Mix(string x, string weight, string bias, string[] experts)
    {
        var gate = graph.Node("Softmax", [graph.Sum(graph.Product(x, weight), graph.Weight(bias))], null, OnnxGraph.Attribute("axis", -1));
        return graph.Squeeze(graph.Node("MatMul", [graph.Unsqueeze(gate, 2), graph.Concat(2, experts)]), 2);
    }
}
