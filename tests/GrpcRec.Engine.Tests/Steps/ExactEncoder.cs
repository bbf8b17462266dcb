using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Tests.Steps;

/// <summary>An encoder's output from the whole list of events at once, where there is a closed form, and in double precision.</summary>
internal sealed class ExactEncoder(ModelArtifact model)
{
    private readonly EncoderManifest _encoder = model.Manifest.Encoder;
    private readonly ExactTensors _tensors = new(model);

    // What each kind stands for, counted out: the behaviour turns fastest, then the first feature that is not the item's.
    private readonly int[][] _kinds = [.. OtherFeatures(model).Select(feature => feature.CountOf(model.Manifest.Categories.Count)).Prepend(model.Manifest.Behaviors.Count)
        .Aggregate(new List<int[]> { Array.Empty<int>() }, (rows, count) => [.. Enumerable.Range(0, count).SelectMany(index => rows.Select(row => (int[])[.. row, index]))])];

    public double[] Hidden((int Item, int Behavior)[] events)
    {
        var inputs = Array.ConvertAll(events, Event);
        return _encoder.Kind switch
        {
            EncoderKind.Bag => Bag(inputs),
            EncoderKind.Cnn => Convolution(inputs),
            _ => Enumerable.Range(0, _encoder.Layers).Aggregate(inputs, Recurrent).LastOrDefault(new double[_encoder.HiddenSize]),
        };
    }

    private double[] Event((int Item, int Behavior) e)
    {
        var kind = _kinds[e.Behavior];
        return
        [
            .. _tensors.Row(ModelTensors.ItemEmbedding, e.Item, _encoder.EmbeddingSize),
            .. model.Manifest.EventFeatures.Where(feature => feature.Source == FeatureSource.ItemCategory).SelectMany(feature => Feature(feature, model.Items.Items[e.Item].Category + 1)),
            .. _encoder.BehaviorEmbeddingSize == 0 ? [] : _tensors.Row(ModelTensors.BehaviorEmbedding, kind[0], _encoder.BehaviorEmbeddingSize),
            .. OtherFeatures(model).SelectMany((feature, place) => Feature(feature, kind[1 + place])),
        ];
    }

    private double[] Feature(EventFeatureManifest feature, int index) => _tensors.Row($"embedding.feature.{feature.Name}", index, feature.EmbeddingSize);

    private static IEnumerable<EventFeatureManifest> OtherFeatures(ModelArtifact model) =>
        model.Manifest.EventFeatures.Where(feature => feature.Source != FeatureSource.ItemCategory);

    /// <summary>Outputs of one layer for all events.</summary>
    private double[][] Recurrent(double[][] inputs, int layer)
    {
        int size = _encoder.HiddenSize;
        double[] h = new double[size], c = new double[size];
        return Array.ConvertAll(inputs, x =>
        {
            var a = _tensors.Affine(ModelTensors.InputWeight(layer, _encoder.Kind), ModelTensors.Bias(layer, _encoder.Kind), x);
            if (_encoder.Kind == EncoderKind.MinGru)
                return h = [.. h.Select((old, u) => ((1 - Sigmoid(a[u])) * old) + (Sigmoid(a[u]) * Math.Tanh(a[size + u])))];
            var b = _tensors.Affine(ModelTensors.RecurrentWeight(layer, _encoder.Kind), null, h);
            double Gate(int gate, int u) => a[(gate * size) + u] + b[(gate * size) + u];
            switch (_encoder.Kind)
            {
                case EncoderKind.Lstm:
                    c = [.. c.Select((old, u) => (Sigmoid(Gate(1, u)) * old) + (Sigmoid(Gate(0, u)) * Math.Tanh(Gate(2, u))))];
                    h = [.. c.Select((cell, u) => Sigmoid(Gate(3, u)) * Math.Tanh(cell))];
                    break;
                case EncoderKind.Rnn:
                    h = [.. Enumerable.Range(0, size).Select(u => Math.Tanh(Gate(0, u)))];
                    break;
                case EncoderKind.Gru when _encoder.ResetPlacement == ResetPlacement.AfterProduct:
                    var bias = model.Weights(ModelTensors.ResetBias(layer)).ToArray();
                    h = Update(u => Math.Tanh(a[(2 * size) + u] + (Sigmoid(Gate(0, u)) * (b[(2 * size) + u] + bias[u]))));
                    break;
                default:
                    var reset = _tensors.Affine(ModelTensors.RecurrentWeight(layer, EncoderKind.Gru), null, [.. h.Select((old, u) => Sigmoid(Gate(0, u)) * old)]);
                    h = Update(u => Math.Tanh(a[(2 * size) + u] + reset[(2 * size) + u]));
                    break;
            }

            return h;

            double[] Update(Func<int, double> candidate) =>
                [.. h.Select((old, u) => ((1 - Sigmoid(Gate(1, u))) * candidate(u)) + (Sigmoid(Gate(1, u)) * old))];
        });
    }

    private double[] Bag(double[][] inputs)
    {
        var width = ModelTensors.EventWidth(model.Manifest);
        double[] x = [.. Enumerable.Range(0, width).Select(k => inputs.Select(input => input[k]).DefaultIfEmpty(0).Average())];
        for (var layer = 0; layer < _encoder.Layers; layer++)
        {
            var last = layer == _encoder.Layers - 1;
            x = Array.ConvertAll(_tensors.Affine(ModelTensors.BagWeight(layer), ModelTensors.BagBias(layer), x), value => last ? Math.Tanh(value) : Math.Max(0, value));
        }

        return x;
    }

    private double[] Convolution(double[][] inputs)
    {
        int width = ModelTensors.EventWidth(model.Manifest), window = _encoder.WindowLength;
        double At(int place, int k) => inputs.Length - window + place is >= 0 and var n ? inputs[n][k] : 0;
        var features = new List<double>();
        foreach (var height in _encoder.FilterHeights)
        {
            var w = model.Weights(ModelTensors.HorizontalWeight(height)).ToArray();
            var b = model.Weights(ModelTensors.HorizontalBias(height)).ToArray();
            features.AddRange(Enumerable.Range(0, _encoder.HorizontalFilters).Select(filter => Enumerable.Range(0, window - height + 1).Max(place =>
                Math.Max(0, b[filter] + Enumerable.Range(0, height * width).Sum(n => w[(filter * height * width) + n] * At(place + (n / width), n % width))))));
        }

        for (var filter = 0; filter < _encoder.VerticalFilters; filter++)
        {
            var w = model.Weights(ModelTensors.VerticalWeight).Slice(filter * window, window).ToArray();
            features.AddRange(Enumerable.Range(0, width).Select(k => w.Select((weight, place) => weight * At(place, k)).Sum()));
        }

        return Array.ConvertAll(_tensors.Affine(ModelTensors.ConvolutionOutputWeight, ModelTensors.ConvolutionOutputBias, [.. features]), Math.Tanh);
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
