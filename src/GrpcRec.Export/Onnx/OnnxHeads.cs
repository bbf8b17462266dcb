using System.Globalization;
using GrpcRec.Engine.Models;

namespace GrpcRec.Export.Onnx;

/// <summary>Each task's logits as an output of the graph.</summary>
internal sealed class OnnxHeads(OnnxGraph graph, OnnxOptions options)
{
    private readonly ModelManifest _manifest = graph.Manifest;

    /// <summary>Name of a task's output.</summary>
    public static string Logits(string task) => "logits." + task;

    public static bool ReadsCandidates(ModelManifest manifest, OnnxOptions options) => options.TaskLogits && manifest.Tasks.Any(IsCandidateTask);

    public void Build()
    {
        var tasks = _manifest.Tasks.Where(IsCandidateTask).Select(task => task.Name).ToArray();
        var inputs = options.TaskLogits && tasks.Length > 0 ? new OnnxTrunk(graph, tasks).Build() : [];
        foreach (var task in _manifest.Tasks)
        {
            if (task.Kind == TaskKind.NextItem)
            {
                if (options.CatalogLogits)
                    NextItem(task);
            }
            else if (options.TaskLogits)
            {
                Tower(task, task.NeedsCandidate ? inputs[Array.IndexOf(tasks, task.Name)] : OnnxEncoder.Hidden);
                if (task.NeedsCandidate)
                    graph.Output(Logits(task.Name), Meaning(task), "batch", "candidates", task.OutputWidth);
                else
                    graph.Output(Logits(task.Name), "Logits of the task; no sigmoid or softmax applied.", "batch", task.OutputWidth);
            }
        }
    }

    private static bool IsCandidateTask(TaskManifest task) => task.NeedsCandidate && task.Kind != TaskKind.NextItem;

    private static string Meaning(TaskManifest task) => task.Kind == TaskKind.Regression
        ? string.Create(CultureInfo.InvariantCulture, $"Output of the task for each candidate; its value is {task.Offset:R} + {task.Scale:R} × output.")
        : "Logits of the task for each candidate; no sigmoid or softmax applied.";

    /// <summary>q·E_outᵀ + item_bias, q = W·h + b.</summary>
    private void NextItem(TaskManifest task)
    {
        var table = _manifest.Encoder.TiedItemEmbedding ? ModelTensors.ItemEmbedding : ModelTensors.NextItemEmbedding;
        var query = graph.Affine(OnnxEncoder.Hidden, ModelTensors.NextItemProjectionWeight, ModelTensors.NextItemProjectionBias);
        graph.Affine(query, table, ModelTensors.NextItemBias, Logits(task.Name));
        graph.Output(Logits(task.Name), "Logits of the next item over the whole catalogue, by dense id.", "batch", _manifest.CatalogSize);
    }

    /// <summary>relu layer (when the model has towers), then linear.</summary>
    /// <param name="x">[B, N, S] or [B, H].</param>
    private void Tower(TaskManifest task, string x)
    {
        if (_manifest.Encoder.TowerSize > 0)
            x = graph.Relu(Linear(x, ModelTensors.TowerWeight(task.Name), ModelTensors.TowerBias(task.Name)));
        var last = task.Given is null && !task.ItemBias;
        var own = Linear(x, ModelTensors.OutputWeight(task.Name), ModelTensors.OutputBias(task.Name), last ? Logits(task.Name) : null);
        if (task.ItemBias)
        {
            var terms = graph.Unsqueeze(graph.Rows(ModelTensors.TaskItemBias(task.Name), OnnxTrunk.CandidateIds), 2);
            own = graph.Sum(own, terms, task.Given is null ? Logits(task.Name) : null);
        }

        if (task.Given is not null)
            Chain(own, Logits(task.Given), Logits(task.Name));
    }

    /// <summary>logit(σ(x)·σ(y)) = -log(e⁻ˣ + e⁻ʸ + e⁻ˣ⁻ʸ).</summary>
    private void Chain(string own, string given, string result)
    {
        string x = graph.Node("Neg", [own]), y = graph.Node("Neg", [given]);
        var sum = graph.Node(
            "ReduceLogSumExp", [graph.Concat(-1, [x, y, graph.Sum(x, y)])], null, OnnxGraph.Attribute("axes", [-1L]), OnnxGraph.Attribute("keepdims", 1));
        graph.Node("Neg", [sum], result);
    }

    private string Linear(string x, string weight, string bias, string? result = null) =>
        graph.Sum(graph.Product(x, weight), graph.Weight(bias), result);
}
