using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Tests.Steps;

/// <summary>The equations of <see cref="ModelTensors"/> and of PyTorch's nn.LSTM in double precision throughout, apart from every engine.</summary>
internal sealed class ExactModel(ModelArtifact model)
{
    private readonly EncoderManifest _encoder = model.Manifest.Encoder;

    public double[] Hidden(IEnumerable<(int Item, int Behavior)> events)
    {
        int h = _encoder.HiddenSize, layers = _encoder.Layers;
        var hidden = Enumerable.Range(0, layers).Select(_ => new double[h]).ToArray();
        var cell = Enumerable.Range(0, layers).Select(_ => new double[h]).ToArray();
        foreach (var (item, behavior) in events)
        {
            double[] x = [.. Row(ModelTensors.ItemEmbedding, item, _encoder.EmbeddingSize)];
            if (_encoder.BehaviorEmbeddingSize > 0)
                x = [.. x, .. Row(ModelTensors.BehaviorEmbedding, behavior, _encoder.BehaviorEmbeddingSize)];
            for (var layer = 0; layer < layers; layer++)
            {
                var a = Affine(ModelTensors.InputWeight(layer), ModelTensors.Bias(layer), x);
                var b = Affine(ModelTensors.RecurrentWeight(layer), null, hidden[layer]);
                for (var u = 0; u < h; u++)
                {
                    double Gate(int gate) => a[(gate * h) + u] + b[(gate * h) + u];
                    cell[layer][u] = (Sigmoid(Gate(1)) * cell[layer][u]) + (Sigmoid(Gate(0)) * Math.Tanh(Gate(2)));
                    hidden[layer][u] = Sigmoid(Gate(3)) * Math.Tanh(cell[layer][u]);
                }

                x = hidden[layer];
            }
        }

        return hidden[^1];
    }

    public double NextItem(double[] hidden, int item)
    {
        var table = _encoder.TiedItemEmbedding ? ModelTensors.ItemEmbedding : ModelTensors.NextItemEmbedding;
        var query = Affine(ModelTensors.NextItemProjectionWeight, ModelTensors.NextItemProjectionBias, hidden);
        return query.Zip(Row(table, item, _encoder.EmbeddingSize), (q, e) => q * e).Sum() + model.Weights(ModelTensors.NextItemBias)[item];
    }

    public double[] Candidate(double[] hidden, int item)
    {
        var logits = new List<double>();
        foreach (var task in model.Manifest.Tasks.Where(task => task.NeedsCandidate))
        {
            if (task.Kind == TaskKind.NextItem)
            {
                logits.Add(NextItem(hidden, item));
                continue;
            }

            var e = Row(ModelTensors.ItemEmbedding, item, _encoder.EmbeddingSize).ToArray();
            var x = Affine(ModelTensors.BottomProjectionWeight, null, hidden).Zip(e, (p, v) => p * v).ToArray();
            var fromHidden = Affine(ModelTensors.BottomHiddenWeight, ModelTensors.BottomBias, hidden);
            var fromItem = Affine(ModelTensors.BottomItemWeight, null, e);
            var fromInteraction = Affine(ModelTensors.BottomInteractionWeight, null, x);
            logits.AddRange(Tower(task, [.. fromHidden.Select((value, s) => Math.Max(0, value + fromItem[s] + fromInteraction[s]))]));
        }

        return [.. logits];
    }

    public double[] Sequence(double[] hidden) => [.. model.Manifest.Tasks.Where(task => !task.NeedsCandidate).SelectMany(task => Tower(task, hidden))];

    private double[] Tower(TaskManifest task, double[] x)
    {
        if (_encoder.TowerSize > 0)
            x = [.. Affine(ModelTensors.TowerWeight(task.Name), ModelTensors.TowerBias(task.Name), x).Select(value => Math.Max(0, value))];
        return Affine(ModelTensors.OutputWeight(task.Name), ModelTensors.OutputBias(task.Name), x);
    }

    private double[] Affine(string weight, string? bias, double[] x)
    {
        var w = model.Weights(weight).ToArray();
        var b = bias is null ? null : model.Weights(bias).ToArray();
        return [.. Enumerable.Range(0, w.Length / x.Length).Select(n => (b?[n] ?? 0) + x.Select((value, k) => value * w[(n * x.Length) + k]).Sum())];
    }

    private double[] Row(string table, int row, int width) => [.. model.Weights(table).Slice(row * width, width).ToArray().Select(value => (double)value)];

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
