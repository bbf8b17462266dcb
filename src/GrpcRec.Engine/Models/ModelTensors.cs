namespace GrpcRec.Engine.Models;

/// <summary>
/// Names and shapes of the tensors in <c>weights.safetensors</c>, all float32 and row-major. Training writes them, engines read them.
/// Those of a model without a network stand in <see cref="CountsManifest"/>.
/// V items, B behaviours, E and Eb embedding widths, I = E + Eb + Σd an event's width, H hidden, S bottom or expert, D tower, C logits of a task;
/// n values and d columns of a feature, R = Σd of the request's. Every encoder's output h is in [-1, 1]. Columns of an event
/// (<see cref="EventColumns"/>): the item's, those of features of its category, the behaviour's, those of the other features.
/// <code>
/// item_embedding             [V, E]
/// behavior_embedding         [B, Eb]            absent when Eb = 0
/// embedding.feature.{name}   [n, d]             of an event; row 0: not known
/// embedding.request.{name}   [n, d]             of a request; row 0: not known
///
/// {kind}.l{n}.weight_ih      [G·H, I], or [G·H, H] for n > 0; kind lstm, gru, rnn, mingru with G = 4, 3, 1, 2 gates; rows by gate
///                            i,f,g,o | r,z,n | – | z,n
/// {kind}.l{n}.weight_hh      [G·H, H]           not of a mingru, whose gates read the input alone
/// {kind}.l{n}.bias           [G·H]              b_ih + b_hh; of a GRU with the reset after the product, the n rows are b_in alone
/// gru.l{n}.bias_hn           [H]                inside r∘(U·h + b_hn); absent with the reset before the product
///   lstm c' = σ(f)∘c + σ(i)∘tanh(g), h' = σ(o)∘tanh(c'); gru h' = (1 - z)∘n + z∘h; rnn h' = tanh(W·x + U·h + b)
///   mingru h' = (1 - σ(z))∘h + σ(z)∘tanh(n)
///
/// bag.l{n}.weight            [H, I], or [H, H] for n > 0; on the mean of all events; relu between layers, tanh after the last
/// bag.l{n}.bias              [H]                no event: the mean is zero
///
/// cnn.height{k}.weight       [F, k, I]          relu(Σ W·x + b), then the maximum over the window's L - k + 1 places
/// cnn.height{k}.bias         [F]                places before the first event read zeros
/// cnn.vertical.weight        [Fv, L]            Σₗ w[l]·x[l] for each of the I columns, oldest place first; absent when Fv = 0
/// cnn.output.weight          [H, heights·F + Fv·I]  tanh(W·(heights ascending ‖ vertical filters) + b)
/// cnn.output.bias            [H]
///
/// next_item.projection.weight [E, H]            q = W·h + b; logit(v) = q·E_out[v] + item_bias[v]
/// next_item.projection.bias  [E]
/// next_item.item_bias        [V]
/// next_item.item_embedding   [V, E]             absent when tied: then item_embedding serves
/// next_item.memory.gain      [E]                q += gain∘m, where m' = σ(decay)∘m + E_out[v] at each event, zero at first: what is like the
/// next_item.memory.decay     [E]                items read; only where the manifest says so
/// next_item.repeat_term      [D]                added to the logit of an item that stands among the events read, by how many came after its
///                                               last one (<see cref="RepeatTerms"/>); only where the manifest says so
///
/// bottom.projection.weight   [E, H + R]         p = W·s; interaction x = p ∘ e; s = h ‖ r, the encoder's output and the embeddings of the
///                                               request's features in the manifest's order
/// shared_bottom:
/// bottom.hidden.weight       [S, H + R]         bottom = relu(W_s·s + W_e·e + W_x·x + b), shared by all candidate tasks
/// bottom.item.weight         [S, E]
/// bottom.interaction.weight  [S, E]
/// bottom.bias                [S]
/// mmoe, cgc, ple, stem; j a level, i an expert; K = H + R + 2E columns at level 0, where all read s ‖ e ‖ x; K = S above, where a task's experts
/// and gate read its own mixture of the level below, and the shared experts and gate the shared mixture; towers read the last level's. With stem,
/// of one level, a task's experts and gate read s ‖ e_t ‖ p∘e_t, e_t the candidate's row of the task's own item embedding:
/// trunk.l{j}.expert.shared{i}.weight  [S, K]    expert = relu(W·input + b); bias [S]
/// trunk.l{j}.expert.{task}.{i}.weight [S, K]    of the candidate tasks but next_item; bias [S]
/// trunk.l{j}.gate.{task}.weight       [n, K]    softmax(W·input + b) mixes the task's own experts, then the shared; with stem all tasks' experts
///                                               in the manifest's order, then the shared; bias [n]
/// trunk.l{j}.shared_gate.weight       [m, K]    all tasks' experts in the manifest's order, then the shared; not at the last level; bias [m]
///
/// task.{name}.tower.weight   [D, S] or [D, H]   relu(W·x + b); x = bottom or mixture with a candidate, h without; absent when D = 0
/// task.{name}.tower.bias     [D]
/// task.{name}.output.weight  [C, D] (or [C, S], [C, H] when D = 0)
/// task.{name}.output.bias    [C]
/// task.{name}.item_embedding [V, E]             of the candidate tasks but next_item, with stem alone
/// task.{name}.item_bias      [V]                added to the logit of a candidate; only where the manifest says so
/// binary that needs the outcome of another first: logit(σ(own)·σ(given)), ChainedLogit; regression: offset + scale·output, in its own unit
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
    public const string MemoryGain = "next_item.memory.gain";
    public const string MemoryDecay = "next_item.memory.decay";
    public const string RepeatTerm = "next_item.repeat_term";
    public const string BottomProjectionWeight = "bottom.projection.weight";
    public const string BottomHiddenWeight = "bottom.hidden.weight";
    public const string BottomItemWeight = "bottom.item.weight";
    public const string BottomInteractionWeight = "bottom.interaction.weight";
    public const string BottomBias = "bottom.bias";
    public const string VerticalWeight = "cnn.vertical.weight";
    public const string ConvolutionOutputWeight = "cnn.output.weight";
    public const string ConvolutionOutputBias = "cnn.output.bias";

    public static string InputWeight(int layer, EncoderKind kind = EncoderKind.Lstm) => $"{Prefix(kind)}.l{layer}.weight_ih";
    public static string RecurrentWeight(int layer, EncoderKind kind = EncoderKind.Lstm) => $"{Prefix(kind)}.l{layer}.weight_hh";
    public static string Bias(int layer, EncoderKind kind = EncoderKind.Lstm) => $"{Prefix(kind)}.l{layer}.bias";
    public static string ResetBias(int layer) => $"gru.l{layer}.bias_hn";
    public static string BagWeight(int layer) => $"bag.l{layer}.weight";
    public static string BagBias(int layer) => $"bag.l{layer}.bias";
    public static string HorizontalWeight(int height) => $"cnn.height{height}.weight";
    public static string HorizontalBias(int height) => $"cnn.height{height}.bias";
    public static string SharedExpertWeight(int level, int expert) => $"trunk.l{level}.expert.shared{expert}.weight";
    public static string SharedExpertBias(int level, int expert) => $"trunk.l{level}.expert.shared{expert}.bias";
    public static string TaskExpertWeight(int level, string task, int expert) => $"trunk.l{level}.expert.{task}.{expert}.weight";
    public static string TaskExpertBias(int level, string task, int expert) => $"trunk.l{level}.expert.{task}.{expert}.bias";
    public static string GateWeight(int level, string task) => $"trunk.l{level}.gate.{task}.weight";
    public static string GateBias(int level, string task) => $"trunk.l{level}.gate.{task}.bias";
    public static string SharedGateWeight(int level) => $"trunk.l{level}.shared_gate.weight";
    public static string SharedGateBias(int level) => $"trunk.l{level}.shared_gate.bias";
    public static string TowerWeight(string task) => $"task.{task}.tower.weight";
    public static string TowerBias(string task) => $"task.{task}.tower.bias";
    public static string OutputWeight(string task) => $"task.{task}.output.weight";
    public static string TaskItemBias(string task) => $"task.{task}.item_bias";
    public static string TaskItemEmbedding(string task) => $"task.{task}.item_embedding";
    public static string EventFeature(string feature) => $"embedding.feature.{feature}";
    public static string RequestFeature(string feature) => $"embedding.request.{feature}";
    public static string OutputBias(string task) => $"task.{task}.output.bias";

    /// <summary>Rows of H in a recurrent layer's weights.</summary>
    public static int Gates(EncoderKind kind) => kind switch
    {
        EncoderKind.Lstm => 4,
        EncoderKind.Gru => 3,
        EncoderKind.Rnn => 1,
        EncoderKind.MinGru => 2,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), $"{kind} is not recurrent"),
    };

    /// <summary>The tensors that a manifest demands, with their shapes: no fewer, no more.</summary>
    public static IReadOnlyDictionary<string, int[]> Expected(ModelManifest manifest)
    {
        var encoder = manifest.Encoder;
        if (encoder.Kind == EncoderKind.Counts)
            return CountsRules.Expected(manifest);
        int v = manifest.CatalogSize, e = encoder.EmbeddingSize, h = encoder.HiddenSize, s = encoder.BottomSize, d = encoder.TowerSize;
        var shapes = new Dictionary<string, int[]> { [ItemEmbedding] = [v, e] };
        if (encoder.BehaviorEmbeddingSize > 0)
            shapes[BehaviorEmbedding] = [manifest.Behaviors.Count, encoder.BehaviorEmbeddingSize];
        foreach (var feature in manifest.EventFeatures)
            shapes[EventFeature(feature.Name)] = [feature.CountOf(manifest.Categories.Count), feature.EmbeddingSize];
        foreach (var feature in manifest.RequestFeatures)
            shapes[RequestFeature(feature.Name)] = [feature.Count, feature.EmbeddingSize];
        AddEncoder(shapes, manifest);
        if (TrunkTasks(manifest) is { Length: > 0 } tasks)
            AddTrunk(shapes, manifest, tasks);

        foreach (var task in manifest.Tasks)
        {
            if (task.Kind == TaskKind.NextItem)
            {
                shapes[NextItemProjectionWeight] = [e, h];
                shapes[NextItemProjectionBias] = [e];
                shapes[NextItemBias] = [v];
                if (!encoder.TiedItemEmbedding)
                    shapes[NextItemEmbedding] = [v, e];
                if (task.ItemMemory)
                    shapes[MemoryGain] = shapes[MemoryDecay] = [e];
                if (task.RepeatTerms)
                    shapes[RepeatTerm] = [RepeatTerms.Count(manifest.MaxSequenceLength)];
                continue;
            }

            var width = task.NeedsCandidate ? s : h;
            if (d > 0)
            {
                shapes[TowerWeight(task.Name)] = [d, width];
                shapes[TowerBias(task.Name)] = [d];
            }

            shapes[OutputWeight(task.Name)] = [task.OutputWidth, d > 0 ? d : width];
            shapes[OutputBias(task.Name)] = [task.OutputWidth];
            if (task.ItemBias)
                shapes[TaskItemBias(task.Name)] = [v];
        }

        return shapes;
    }

    /// <summary>The embeddings that an event's columns are gathered from, side by side, with their widths.</summary>
    public static IEnumerable<(string Tensor, int Width)> EventColumns(ModelManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        // What depends on the item alone comes first, so that an engine may fold each side into a table of its own.
        yield return (ItemEmbedding, manifest.Encoder.EmbeddingSize);
        foreach (var feature in manifest.EventFeatures.Where(feature => feature.Source == FeatureSource.ItemCategory))
            yield return (EventFeature(feature.Name), feature.EmbeddingSize);
        if (manifest.Encoder.BehaviorEmbeddingSize > 0)
            yield return (BehaviorEmbedding, manifest.Encoder.BehaviorEmbeddingSize);
        foreach (var feature in manifest.EventFeatures.Where(feature => feature.Source != FeatureSource.ItemCategory))
            yield return (EventFeature(feature.Name), feature.EmbeddingSize);
    }

    /// <summary>The tasks that a trunk serves: those of a candidate but next_item, in the manifest's order.</summary>
    public static string[] TrunkTasks(ModelManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return [.. manifest.Tasks.Where(task => task.NeedsCandidate && task.Kind != TaskKind.NextItem).Select(task => task.Name)];
    }

    /// <summary>The tables of tasks that have an item embedding of their own.</summary>
    public static IEnumerable<string> TaskItemEmbeddings(ModelManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return manifest.Encoder.Trunk.Kind == TrunkKind.Stem ? TrunkTasks(manifest).Select(TaskItemEmbedding) : [];
    }

    /// <summary>I.</summary>
    public static int EventWidth(ModelManifest manifest) => EventColumns(manifest).Sum(column => column.Width);

    /// <summary>H + R: what the trunk of the candidate tasks reads of a sequence and its request.</summary>
    public static int StateWidth(ModelManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return manifest.Encoder.HiddenSize + manifest.RequestFeatures.Sum(feature => feature.EmbeddingSize);
    }

    /// <summary>Of the names of a recurrent layer's tensors.</summary>
    public static string Prefix(EncoderKind kind) => kind switch
    {
        EncoderKind.Lstm => "lstm",
        EncoderKind.Gru => "gru",
        EncoderKind.Rnn => "rnn",
        EncoderKind.MinGru => "mingru",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), $"{kind} is not recurrent"),
    };

    private static void AddEncoder(Dictionary<string, int[]> shapes, ModelManifest manifest)
    {
        var encoder = manifest.Encoder;
        int h = encoder.HiddenSize, input = EventWidth(manifest);
        switch (encoder.Kind)
        {
            case EncoderKind.Bag:
                for (var layer = 0; layer < encoder.Layers; layer++)
                {
                    shapes[BagWeight(layer)] = [h, layer == 0 ? input : h];
                    shapes[BagBias(layer)] = [h];
                }

                break;
            case EncoderKind.Cnn:
                foreach (var height in encoder.FilterHeights)
                {
                    shapes[HorizontalWeight(height)] = [encoder.HorizontalFilters, height, input];
                    shapes[HorizontalBias(height)] = [encoder.HorizontalFilters];
                }

                if (encoder.VerticalFilters > 0)
                    shapes[VerticalWeight] = [encoder.VerticalFilters, encoder.WindowLength];
                shapes[ConvolutionOutputWeight] = [h, (encoder.FilterHeights.Count * encoder.HorizontalFilters) + (encoder.VerticalFilters * input)];
                shapes[ConvolutionOutputBias] = [h];
                break;
            default:
                var gates = Gates(encoder.Kind);
                for (var layer = 0; layer < encoder.Layers; layer++)
                {
                    shapes[InputWeight(layer, encoder.Kind)] = [gates * h, layer == 0 ? input : h];
                    if (encoder.Kind != EncoderKind.MinGru)
                        shapes[RecurrentWeight(layer, encoder.Kind)] = [gates * h, h];
                    shapes[Bias(layer, encoder.Kind)] = [gates * h];
                    if (encoder.ResetPlacement == ResetPlacement.AfterProduct)
                        shapes[ResetBias(layer)] = [h];
                }

                break;
        }
    }

    private static void AddTrunk(Dictionary<string, int[]> shapes, ModelManifest manifest, string[] tasks)
    {
        var encoder = manifest.Encoder;
        var trunk = encoder.Trunk;
        int e = encoder.EmbeddingSize, h = StateWidth(manifest), s = encoder.BottomSize;
        shapes[BottomProjectionWeight] = [e, h];
        if (trunk.Kind == TrunkKind.SharedBottom)
        {
            shapes[BottomHiddenWeight] = [s, h];
            shapes[BottomItemWeight] = [s, e];
            shapes[BottomInteractionWeight] = [s, e];
            shapes[BottomBias] = [s];
            return;
        }

        foreach (var table in TaskItemEmbeddings(manifest))
            shapes[table] = [manifest.CatalogSize, e];
        var all = (tasks.Length * trunk.TaskExperts) + trunk.SharedExperts;
        var choices = trunk.Kind == TrunkKind.Stem ? all : trunk.TaskExperts + trunk.SharedExperts;
        for (var level = 0; level < trunk.Levels; level++)
        {
            var input = level == 0 ? h + (2 * e) : s;
            for (var expert = 0; expert < trunk.SharedExperts; expert++)
            {
                shapes[SharedExpertWeight(level, expert)] = [s, input];
                shapes[SharedExpertBias(level, expert)] = [s];
            }

            foreach (var task in tasks)
            {
                for (var expert = 0; expert < trunk.TaskExperts; expert++)
                {
                    shapes[TaskExpertWeight(level, task, expert)] = [s, input];
                    shapes[TaskExpertBias(level, task, expert)] = [s];
                }

                shapes[GateWeight(level, task)] = [choices, input];
                shapes[GateBias(level, task)] = [choices];
            }

            if (level < trunk.Levels - 1)
            {
                shapes[SharedGateWeight(level)] = [all, input];
                shapes[SharedGateBias(level)] = [all];
            }
        }
    }
}
