namespace GrpcRec.Engine.Models;

/// <summary>
/// Names and shapes of the tensors in <c>weights.safetensors</c>, all float32 and row-major. Training writes them, engines read them.
/// V items, B behaviours, E and Eb embedding widths, H hidden, S bottom, D tower, C logits of a task.
/// <code>
/// item_embedding             [V, E]
/// behavior_embedding         [B, Eb]            absent when Eb = 0
/// lstm.l{n}.weight_ih        [4H, E + Eb], or [4H, H] for n > 0; rows by gate i, f, g, o; columns item then behaviour
/// lstm.l{n}.weight_hh        [4H, H]
/// lstm.l{n}.bias             [4H]               b_ih + b_hh
/// next_item.projection.weight [E, H]            q = W·h + b; logit(v) = q·E_out[v] + item_bias[v]
/// next_item.projection.bias  [E]
/// next_item.item_bias        [V]
/// next_item.item_embedding   [V, E]             absent when tied: then item_embedding serves
/// bottom.projection.weight   [E, H]             p = W·h; interaction x = p ∘ e
/// bottom.hidden.weight       [S, H]             bottom = relu(W_h·h + W_e·e + W_x·x + b), shared by all candidate tasks
/// bottom.item.weight         [S, E]
/// bottom.interaction.weight  [S, E]
/// bottom.bias                [S]
/// task.{name}.tower.weight   [D, S] or [D, H]   relu(W·x + b); x = bottom with a candidate, h without; absent when D = 0
/// task.{name}.tower.bias     [D]
/// task.{name}.output.weight  [C, D] (or [C, S], [C, H] when D = 0)
/// task.{name}.output.bias    [C]
/// </code>
/// </summary>
public static class ModelTensors
{
    public const string ItemEmbedding = "item_embedding";
    public const string BehaviorEmbedding = "behavior_embedding";
    public const string NextItemProjectionWeight = "next_item.projection.weight";
    public const string NextItemProjectionBias = "next_item.projection.bias";
    public const string NextItemBias = "next_item.item_bias";
    public const string NextItemEmbedding = "next_item.item_embedding";
    public const string BottomProjectionWeight = "bottom.projection.weight";
    public const string BottomHiddenWeight = "bottom.hidden.weight";
    public const string BottomItemWeight = "bottom.item.weight";
    public const string BottomInteractionWeight = "bottom.interaction.weight";
    public const string BottomBias = "bottom.bias";

    public static string InputWeight(int layer) => $"lstm.l{layer}.weight_ih";
    public static string RecurrentWeight(int layer) => $"lstm.l{layer}.weight_hh";
    public static string Bias(int layer) => $"lstm.l{layer}.bias";
    public static string TowerWeight(string task) => $"task.{task}.tower.weight";
    public static string TowerBias(string task) => $"task.{task}.tower.bias";
    public static string OutputWeight(string task) => $"task.{task}.output.weight";
    public static string OutputBias(string task) => $"task.{task}.output.bias";

    /// <summary>The tensors that a manifest demands, with their shapes: no fewer, no more.</summary>
    public static IReadOnlyDictionary<string, int[]> Expected(ModelManifest manifest)
    {
        var encoder = manifest.Encoder;
        int v = manifest.CatalogSize, e = encoder.EmbeddingSize, eb = encoder.BehaviorEmbeddingSize;
        int h = encoder.HiddenSize, s = encoder.BottomSize, d = encoder.TowerSize;
        var shapes = new Dictionary<string, int[]> { [ItemEmbedding] = [v, e] };
        if (eb > 0)
            shapes[BehaviorEmbedding] = [manifest.Behaviors.Count, eb];
        for (var layer = 0; layer < encoder.Layers; layer++)
        {
            shapes[InputWeight(layer)] = [4 * h, layer == 0 ? e + eb : h];
            shapes[RecurrentWeight(layer)] = [4 * h, h];
            shapes[Bias(layer)] = [4 * h];
        }

        foreach (var task in manifest.Tasks)
        {
            if (task.Kind == TaskKind.NextItem)
            {
                shapes[NextItemProjectionWeight] = [e, h];
                shapes[NextItemProjectionBias] = [e];
                shapes[NextItemBias] = [v];
                if (!encoder.TiedItemEmbedding)
                    shapes[NextItemEmbedding] = [v, e];
                continue;
            }

            if (task.NeedsCandidate)
            {
                shapes[BottomProjectionWeight] = [e, h];
                shapes[BottomHiddenWeight] = [s, h];
                shapes[BottomItemWeight] = [s, e];
                shapes[BottomInteractionWeight] = [s, e];
                shapes[BottomBias] = [s];
            }

            var width = task.NeedsCandidate ? s : h;
            if (d > 0)
            {
                shapes[TowerWeight(task.Name)] = [d, width];
                shapes[TowerBias(task.Name)] = [d];
            }

            shapes[OutputWeight(task.Name)] = [task.OutputWidth, d > 0 ? d : width];
            shapes[OutputBias(task.Name)] = [task.OutputWidth];
        }

        return shapes;
    }
}
