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

    /// <summary>q·E_outᵀ + item_bias, q = W·h + b, and gain∘m.</summary>
    private void NextItem(TaskManifest task)
    {
        var table = _manifest.Encoder.TiedItemEmbedding ? ModelTensors.ItemEmbedding : ModelTensors.NextItemEmbedding;
        var query = graph.Affine(OnnxEncoder.Hidden, ModelTensors.NextItemProjectionWeight, ModelTensors.NextItemProjectionBias);
        if (task.ItemMemory)
            query = graph.Sum(query, Memory(table));
        var logits = graph.Affine(query, table, ModelTensors.NextItemBias, task.RepeatTerms ? null : Logits(task.Name));
        if (task.RepeatTerms)
            AddRepeatTerms(logits, Logits(task.Name));
        graph.Output(Logits(task.Name), "Logits of the next item over the whole catalogue, by dense id.", "batch", _manifest.CatalogSize);
    }

    /// <summary>gain∘m [B, E]: the items' output embeddings, each by its column's factor to the power of the events since.</summary>
    private string Memory(string table)
    {
        // 1. Events since each place of [B, T, 1], and which hold an event.
        var (_, since) = EventsSince();
        var present = graph.Unsqueeze(graph.ToFloat(graph.Node("GreaterOrEqual", [since, graph.Integer(0)])), 2);
        var passed = graph.Unsqueeze(graph.ToFloat(graph.Node("Max", [since, graph.Integer(0)])), 2);

        // 2. σ(decay)^since = e^(since·ln σ(decay)), times the embeddings.
        var logFactors = Array.ConvertAll(graph.Model.Weights(ModelTensors.MemoryDecay).ToArray(), decay => (float)-Math.Log(1 + Math.Exp(-decay)));
        var factors = graph.Node("Exp", [graph.Node("Mul", [passed, graph.Floats(ModelTensors.MemoryDecay + ".log_factor", logFactors, logFactors.Length)])]);
        var read = graph.Node("Mul", [graph.Node("Mul", [factors, present]), graph.Rows(table, OnnxEncoder.ItemIds)]);
        var memory = graph.Node("ReduceSum", [read, graph.Integers(1)], null, OnnxGraph.Attribute("keepdims", 0));
        return graph.Node("Mul", [memory, graph.Weight(ModelTensors.MemoryGain)]);
    }

    /// <summary>Places [T], and the events after each of [B, T]: 0 for the last, negative behind a sequence's end.</summary>
    private (string Places, string Since) EventsSince()
    {
        var longest = OnnxEncoder.Longest(graph);
        var places = graph.Places(longest);
        var lengths = options.ReadsLengths ? OnnxEncoder.LengthColumn(graph) : longest;
        return (places, graph.Node("Sub", [graph.Node("Sub", [lengths, graph.Integer(1)]), graph.Unsqueeze(places, 0)]));
    }

    /// <summary>Adds to each item's logit its term: that of its last event, where it stands among the last that the model reads.</summary>
    /// <param name="logits">[B, V]</param>
    private void AddRepeatTerms(string logits, string result)
    {
        // 1. Events since each place of [B, T], and which places are read.
        var reach = _manifest.MaxSequenceLength;
        var (places, since) = EventsSince();
        var inside = graph.Node("And", [graph.Node("GreaterOrEqual", [since, graph.Integer(0)]), graph.Node("Less", [since, graph.Integer(reach)])]);

        // 2. Of an item's places the last: no later one [B, T, T'] has the same item.
        var same = graph.Node("Equal", [graph.Unsqueeze(OnnxEncoder.ItemIds, 2), graph.Unsqueeze(OnnxEncoder.ItemIds, 1)]);
        var later = graph.Node("And", [graph.Unsqueeze(graph.Node("Less", [graph.Unsqueeze(places, 1), graph.Unsqueeze(places, 0)]), 0), graph.Unsqueeze(inside, 1)]);
        var again = graph.Node(
            "ReduceMax", [graph.ToFloat(graph.Node("And", [same, later]))], null, OnnxGraph.Attribute("axes", [2L]), OnnxGraph.Attribute("keepdims", 0));
        var counts = graph.Node("Sub", [graph.ToFloat(inside), graph.Node("Mul", [graph.ToFloat(inside), again])]);

        // 3. Their terms, added where the items stand.
        var byDistance = new float[reach];
        for (var distance = 0; distance < reach; distance++)
            byDistance[distance] = graph.Model.Weights(ModelTensors.RepeatTerm)[RepeatTerms.Of(distance)];
        var within = graph.Node("Max", [graph.Integer(0), graph.Node("Min", [since, graph.Integer(reach - 1)])]);
        var terms = graph.Node("Gather", [graph.Floats(ModelTensors.RepeatTerm + ".by_distance", byDistance, reach), within], null, OnnxGraph.Attribute("axis", 0));
        graph.Node(
            "ScatterElements", [logits, OnnxEncoder.ItemIds, graph.Node("Mul", [terms, counts])], result, OnnxGraph.Attribute("axis", 1), OnnxGraph.Attribute("reduction", "add"));
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
