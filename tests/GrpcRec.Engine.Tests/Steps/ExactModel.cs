using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Tests.Steps;

/// <summary>The equations of <see cref="ModelTensors"/> and of PyTorch's layers in double precision throughout, apart from every engine.</summary>
internal sealed class ExactModel(ModelArtifact model)
{
    private readonly EncoderManifest _encoder = model.Manifest.Encoder;

    private readonly ExactTensors _tensors = new(model);
    private readonly ExactEncoder _hidden = new(model);
    private readonly string[] _tasks = [.. model.Manifest.Tasks.Where(task => task.NeedsCandidate && task.Kind != TaskKind.NextItem).Select(task => task.Name)];

    public double[] Hidden((int Item, int Behavior)[] events) => _hidden.Hidden(events);

    /// <param name="past">What was read: of the last events the items have terms, and all are remembered.</param>
    public double NextItem(double[] hidden, int item, (int Item, int Behavior)[] past) => NextItem(hidden, item) + Repeated(item, past) + Remembered(item, past);

    private double Remembered(int item, (int Item, int Behavior)[] past)
    {
        if (!model.HasTensor(ModelTensors.MemoryGain))
            return 0;
        double[] Row(int one) => _tensors.Row(_encoder.TiedItemEmbedding ? ModelTensors.ItemEmbedding : ModelTensors.NextItemEmbedding, one, _encoder.EmbeddingSize);
        var (gain, decay) = (model.Weights(ModelTensors.MemoryGain).ToArray(), model.Weights(ModelTensors.MemoryDecay).ToArray());
        // Every pair of an item read and the one asked about, column by column.
        return past.Select((one, place) => Row(one.Item).Zip(Row(item), (a, b) => a * b)
            .Select((product, k) => gain[k] * product * Math.Pow(1 / (1 + Math.Exp(-decay[k])), past.Length - 1 - place)).Sum()).Sum();
    }

    private double Repeated(int item, (int Item, int Behavior)[] past)
    {
        var since = past.Reverse().Take(model.Manifest.MaxSequenceLength).ToList().FindIndex(one => one.Item == item);
        return since < 0 || !model.HasTensor(ModelTensors.RepeatTerm) ? 0 : model.Weights(ModelTensors.RepeatTerm)[(int)Math.Floor(Math.Log2(since + 1))];
    }

    public double NextItem(double[] hidden, int item)
    {
        var table = _encoder.TiedItemEmbedding ? ModelTensors.ItemEmbedding : ModelTensors.NextItemEmbedding;
        var query = _tensors.Affine(ModelTensors.NextItemProjectionWeight, ModelTensors.NextItemProjectionBias, hidden);
        return query.Zip(_tensors.Row(table, item, _encoder.EmbeddingSize), (q, e) => q * e).Sum() + model.Weights(ModelTensors.NextItemBias)[item];
    }

    /// <param name="request">Indices of the request's features; none given: all 0.</param>
    public double[] Candidate(double[] hidden, int item, (int Item, int Behavior)[] past, params int[] request)
    {
        var logits = Candidate(hidden, item, request);
        var next = model.Manifest.Tasks.Where(task => task.NeedsCandidate).TakeWhile(task => task.Kind != TaskKind.NextItem).Sum(task => task.OutputWidth);
        logits[next] += Repeated(item, past) + Remembered(item, past);
        return logits;
    }

    /// <param name="request">Indices of the request's features; none given: all 0.</param>
    public double[] Candidate(double[] hidden, int item, params int[] request)
    {
        double[] state = [.. hidden, .. model.Manifest.RequestFeatures.SelectMany((feature, n) => _tensors.Row($"embedding.request.{feature.Name}", request.ElementAtOrDefault(n), feature.EmbeddingSize))];
        var inputs = _tasks.Length > 0 ? Trunk(state, item) : [];
        return [.. model.Manifest.Tasks.Where(task => task.NeedsCandidate)
            .SelectMany(task => task.Kind == TaskKind.NextItem ? [NextItem(hidden, item)] : Chained(task, inputs, item))];
    }

    /// <summary>The logit of the product of all probabilities of the chain.</summary>
    private double[] Chained(TaskManifest task, Dictionary<string, double[]> inputs, int item)
    {
        if (task.Given is null)
            return Biased(task, inputs, item);
        var p = 1.0;
        for (var one = task; one is not null; one = model.Manifest.Tasks.FirstOrDefault(other => other.Name == one.Given))
            p /= 1 + Math.Exp(-Biased(one, inputs, item)[0]);
        return [Math.Log(p / (1 - p))];
    }

    private double[] Biased(TaskManifest task, Dictionary<string, double[]> inputs, int item)
    {
        var logits = Tower(task, inputs[task.Name]);
        return task.ItemBias ? [logits[0] + _tensors.Row($"task.{task.Name}.item_bias", item, 1)[0]] : logits;
    }

    public double[] Sequence(double[] hidden) => [.. model.Manifest.Tasks.Where(task => !task.NeedsCandidate).SelectMany(task => Tower(task, hidden))];

    private double[] Tower(TaskManifest task, double[] x)
    {
        if (_encoder.TowerSize > 0)
            x = [.. _tensors.Affine(ModelTensors.TowerWeight(task.Name), ModelTensors.TowerBias(task.Name), x).Select(value => Math.Max(0, value))];
        return _tensors.Affine(ModelTensors.OutputWeight(task.Name), ModelTensors.OutputBias(task.Name), x);
    }

    /// <summary>What each candidate task's tower reads.</summary>
    private Dictionary<string, double[]> Trunk(double[] hidden, int item)
    {
        var trunk = _encoder.Trunk;
        var projection = _tensors.Affine(ModelTensors.BottomProjectionWeight, null, hidden);
        var e = _tensors.Row(ModelTensors.ItemEmbedding, item, _encoder.EmbeddingSize);
        var x = projection.Zip(e, (p, v) => p * v).ToArray();
        if (trunk.Kind == TrunkKind.SharedBottom)
        {
            var fromHidden = _tensors.Affine(ModelTensors.BottomHiddenWeight, ModelTensors.BottomBias, hidden);
            var fromItem = _tensors.Affine(ModelTensors.BottomItemWeight, null, e);
            var fromInteraction = _tensors.Affine(ModelTensors.BottomInteractionWeight, null, x);
            double[] bottom = [.. fromHidden.Select((value, s) => Math.Max(0, value + fromItem[s] + fromInteraction[s]))];
            return _tasks.ToDictionary(task => task, _ => bottom);
        }

        double[] shared = [.. hidden, .. e, .. x];
        var own = _tasks.ToDictionary(task => task, _ => shared);
        if (trunk.Kind == TrunkKind.Stem)
        {
            own = _tasks.ToDictionary(task => task, task =>
            {
                var row = _tensors.Row($"task.{task}.item_embedding", item, _encoder.EmbeddingSize);
                return (double[])[.. hidden, .. row, .. projection.Zip(row, (p, v) => p * v)];
            });
        }

        for (var level = 0; level < trunk.Levels; level++)
        {
            double[][] Experts(int count, double[] input, Func<int, string> weight, Func<int, string> bias) =>
                [.. Enumerable.Range(0, count).Select(i => Array.ConvertAll(_tensors.Affine(weight(i), bias(i), input), value => Math.Max(0, value)))];
            var sharedExperts = Experts(trunk.SharedExperts, shared, i => ModelTensors.SharedExpertWeight(level, i), i => ModelTensors.SharedExpertBias(level, i));
            var taskExperts = own.ToDictionary(pair => pair.Key, pair => Experts(
                trunk.TaskExperts, pair.Value, i => ModelTensors.TaskExpertWeight(level, pair.Key, i), i => ModelTensors.TaskExpertBias(level, pair.Key, i)));
            if (level < trunk.Levels - 1)
            {
                shared = Mix(
                    _tensors.Affine(ModelTensors.SharedGateWeight(level), ModelTensors.SharedGateBias(level), shared), [.. _tasks.SelectMany(task => taskExperts[task]), .. sharedExperts]);
            }

            own = own.ToDictionary(pair => pair.Key, pair => Mix(
                _tensors.Affine(ModelTensors.GateWeight(level, pair.Key), ModelTensors.GateBias(level, pair.Key), pair.Value),
                [.. _tasks.Where(task => trunk.Kind == TrunkKind.Stem || task == pair.Key).SelectMany(task => taskExperts[task]), .. sharedExperts]));
        }

        return own;
    }

    private static double[] Mix(double[] gate, double[][] experts)
    {
        Assert.Equal(gate.Length, experts.Length);
        var weights = Array.ConvertAll(gate, value => 1 / gate.Sum(other => Math.Exp(other - value)));
        return [.. experts[0].Select((_, s) => experts.Zip(weights, (expert, weight) => expert[s] * weight).Sum())];
    }
}
