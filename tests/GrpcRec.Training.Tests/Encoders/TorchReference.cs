using GrpcRec.Engine.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.Tests.Encoders;

/// <summary>
/// A model of the family in torch's own layers, with nothing of ours but the weights: nn.LSTM, nn.GRU (whose reset is after the product),
/// nn.RNN, linear, softmax and sums. Gradients stay on: libtorch 2.10's LSTM without them is wrong on AVX-512 for many sizes.
/// </summary>
internal sealed class TorchReference(ModelArtifact artifact)
{
    private readonly EncoderManifest _encoder = artifact.Manifest.Encoder;

    private string[] Tasks => [.. artifact.Manifest.Tasks.Where(task => task.NeedsCandidate && task.Kind != TaskKind.NextItem).Select(task => task.Name)];

    /// <returns>[H] after the last event.</returns>
    public Tensor Hidden(int[] items, int[] behaviors)
    {
        if (items.Length == 0 && _encoder.Kind is EncoderKind.Lstm or EncoderKind.Gru or EncoderKind.Rnn or EncoderKind.MinGru)
            return zeros(_encoder.HiddenSize);
        var x = Embed(items, ModelTensors.ItemEmbedding);
        if (_encoder.BehaviorEmbeddingSize > 0)
            x = cat([x, Embed(behaviors, ModelTensors.BehaviorEmbedding)], 1);
        return _encoder.Kind switch
        {
            EncoderKind.Lstm => Lstm(x),
            EncoderKind.Gru when _encoder.ResetPlacement == ResetPlacement.AfterProduct => Gru(x),
            EncoderKind.Gru => GruBeforeProduct(x),
            EncoderKind.Rnn => Rnn(x),
            EncoderKind.Bag => Bag(x),
            EncoderKind.MinGru => MinGru(x),
            _ => Convolution(x),
        };
    }

    /// <summary>Logits of every candidate task, in the manifest's order.</summary>
    /// <param name="h">[H].</param>
    /// <param name="items">[N].</param>
    /// <returns>[N, candidate width].</returns>
    public Tensor Candidates(Tensor h, int[] items)
    {
        var inputs = Trunk(h.unsqueeze(0).expand(items.Length, -1), items);
        return cat([.. artifact.Manifest.Tasks.Where(task => task.NeedsCandidate).Select(task =>
        {
            if (task.Kind != TaskKind.NextItem)
                return Tower(task.Name, inputs[task.Name]);
            var output = Embed(items, _encoder.TiedItemEmbedding ? ModelTensors.ItemEmbedding : ModelTensors.NextItemEmbedding);
            var query = Linear(h, ModelTensors.NextItemProjectionWeight, ModelTensors.NextItemProjectionBias);
            return (matmul(output, query) + Weight(ModelTensors.NextItemBias).index_select(0, Ids(items))).unsqueeze(1);
        })], 1);
    }

    /// <returns>[sequence width].</returns>
    public Tensor Sequence(Tensor h) => cat([.. artifact.Manifest.Tasks.Where(task => !task.NeedsCandidate).Select(task => Tower(task.Name, h))], 0);

    private Tensor Lstm(Tensor x)
    {
        using var layer = nn.LSTM(x.shape[1], _encoder.HiddenSize, _encoder.Layers);
        for (var n = 0; n < _encoder.Layers; n++)
            Set(layer, n, Weight(ModelTensors.Bias(n)), zeros(4 * _encoder.HiddenSize));
        return layer.call(x.unsqueeze(1), null).Item1[-1, 0];
    }

    private Tensor Gru(Tensor x)
    {
        using var layer = nn.GRU(x.shape[1], _encoder.HiddenSize, _encoder.Layers);
        for (var n = 0; n < _encoder.Layers; n++)
            Set(layer, n, Weight(ModelTensors.Bias(n, EncoderKind.Gru)), cat([zeros(2 * _encoder.HiddenSize), Weight(ModelTensors.ResetBias(n))]));
        return layer.call(x.unsqueeze(1), null).Item1[-1, 0];
    }

    private Tensor Rnn(Tensor x)
    {
        using var layer = nn.RNN(x.shape[1], _encoder.HiddenSize, _encoder.Layers);
        for (var n = 0; n < _encoder.Layers; n++)
            Set(layer, n, Weight(ModelTensors.Bias(n, EncoderKind.Rnn)), zeros(_encoder.HiddenSize));
        return layer.call(x.unsqueeze(1), null).Item1[-1, 0];
    }

    private Tensor GruBeforeProduct(Tensor x)
    {
        for (var n = 0; n < _encoder.Layers; n++)
        {
            var input = Linear(x, ModelTensors.InputWeight(n, EncoderKind.Gru), ModelTensors.Bias(n, EncoderKind.Gru)).chunk(3, 1);
            var recurrent = Weight(ModelTensors.RecurrentWeight(n, EncoderKind.Gru)).chunk(3, 0);
            var h = zeros(_encoder.HiddenSize);
            var states = new Tensor[x.shape[0]];
            for (var t = 0; t < states.Length; t++)
            {
                var r = sigmoid(input[0][t] + mv(recurrent[0], h));
                var z = sigmoid(input[1][t] + mv(recurrent[1], h));
                var candidate = tanh(input[2][t] + mv(recurrent[2], r * h));
                states[t] = h = candidate + (z * (h - candidate));
            }

            x = stack(states);
        }

        return x[-1];
    }

    private Tensor MinGru(Tensor x)
    {
        for (var n = 0; n < _encoder.Layers; n++)
        {
            var input = Linear(x, ModelTensors.InputWeight(n, EncoderKind.MinGru), ModelTensors.Bias(n, EncoderKind.MinGru)).chunk(2, 1);
            var h = zeros(_encoder.HiddenSize);
            var states = new Tensor[x.shape[0]];
            for (var t = 0; t < states.Length; t++)
            {
                var z = sigmoid(input[0][t]);
                states[t] = h = h + (z * (tanh(input[1][t]) - h));
            }

            x = stack(states);
        }

        return x[-1];
    }

    private Tensor Bag(Tensor x)
    {
        var y = x.shape[0] == 0 ? zeros(x.shape[1]) : x.mean([0L]);
        for (var n = 0; n < _encoder.Layers; n++)
        {
            y = Linear(y, ModelTensors.BagWeight(n), ModelTensors.BagBias(n));
            y = n == _encoder.Layers - 1 ? tanh(y) : F.relu(y);
        }

        return y;
    }

    private Tensor Convolution(Tensor x)
    {
        var window = cat([zeros(_encoder.WindowLength, x.shape[1]), x], 0).narrow(0, x.shape[0], _encoder.WindowLength);
        var features = new List<Tensor>();
        foreach (var height in _encoder.FilterHeights)
        {
            // As a product over all places: conv1d would warn of NNPACK at every call on machines that it does not know.
            var places = einsum("pik,fki->pf", window.unfold(0, height, 1), Weight(ModelTensors.HorizontalWeight(height)));
            features.Add(F.relu(places + Weight(ModelTensors.HorizontalBias(height))).amax([0L]));
        }

        if (_encoder.VerticalFilters > 0)
            features.Add(matmul(Weight(ModelTensors.VerticalWeight), window).flatten());
        return tanh(Linear(cat([.. features]), ModelTensors.ConvolutionOutputWeight, ModelTensors.ConvolutionOutputBias));
    }

    /// <returns>By task: [N, S] what its tower reads.</returns>
    private Dictionary<string, Tensor> Trunk(Tensor h, int[] items)
    {
        var e = Embed(items, ModelTensors.ItemEmbedding);
        var projection = Linear(h, ModelTensors.BottomProjectionWeight, null);
        var x = projection * e;
        if (_encoder.Trunk.Kind == TrunkKind.SharedBottom)
        {
            var bottom = F.relu(
                Linear(h, ModelTensors.BottomHiddenWeight, ModelTensors.BottomBias) + Linear(e, ModelTensors.BottomItemWeight, null) + Linear(x, ModelTensors.BottomInteractionWeight, null));
            return Tasks.ToDictionary(task => task, _ => bottom);
        }

        var shared = cat([h, e, x], 1);
        var mixesAll = _encoder.Trunk.Kind == TrunkKind.Stem;
        var own = Tasks.ToDictionary(task => task, task =>
        {
            if (!mixesAll)
                return shared;
            var row = Embed(items, $"task.{task}.item_embedding");
            return cat([h, row, projection * row], 1);
        });
        for (var level = 0; level < _encoder.Trunk.Levels; level++)
        {
            var n = level;
            Tensor[] sharedExperts = [.. Enumerable.Range(0, _encoder.Trunk.SharedExperts)
                .Select(i => F.relu(Linear(shared, ModelTensors.SharedExpertWeight(n, i), ModelTensors.SharedExpertBias(n, i))))];
            var experts = own.ToDictionary(pair => pair.Key, pair => Enumerable.Range(0, _encoder.Trunk.TaskExperts)
                .Select(i => F.relu(Linear(pair.Value, ModelTensors.TaskExpertWeight(n, pair.Key, i), ModelTensors.TaskExpertBias(n, pair.Key, i)))).ToArray());
            var mixtures = own.ToDictionary(pair => pair.Key, pair => Mix(
                Linear(pair.Value, ModelTensors.GateWeight(n, pair.Key), ModelTensors.GateBias(n, pair.Key)),
                [.. mixesAll ? Tasks.SelectMany(task => experts[task]) : experts[pair.Key], .. sharedExperts]));
            if (level < _encoder.Trunk.Levels - 1)
            {
                shared = Mix(
                    Linear(shared, ModelTensors.SharedGateWeight(n), ModelTensors.SharedGateBias(n)), [.. Tasks.SelectMany(task => experts[task]), .. sharedExperts]);
            }

            own = mixtures;
        }

        return own;
    }

    private static Tensor Mix(Tensor gate, Tensor[] experts) => einsum("ni,ins->ns", F.softmax(gate, 1), stack(experts));

    private Tensor Tower(string task, Tensor x)
    {
        if (_encoder.TowerSize > 0)
            x = F.relu(Linear(x, ModelTensors.TowerWeight(task), ModelTensors.TowerBias(task)));
        return Linear(x, ModelTensors.OutputWeight(task), ModelTensors.OutputBias(task));
    }

    private Tensor Linear(Tensor x, string weight, string? bias) => F.linear(x, Weight(weight), bias is null ? null : Weight(bias));

    private void Set(nn.Module layer, int n, Tensor inputBias, Tensor recurrentBias)
    {
        using var frozen = no_grad();
        layer.get_parameter($"weight_ih_l{n}")!.copy_(Weight(ModelTensors.InputWeight(n, _encoder.Kind)));
        layer.get_parameter($"weight_hh_l{n}")!.copy_(Weight(ModelTensors.RecurrentWeight(n, _encoder.Kind)));
        layer.get_parameter($"bias_ih_l{n}")!.copy_(inputBias);
        layer.get_parameter($"bias_hh_l{n}")!.copy_(recurrentBias);
    }

    private Tensor Weight(string name) =>
        tensor(artifact.Weights(name).ToArray(), Array.ConvertAll(ModelTensors.Expected(artifact.Manifest)[name], size => (long)size));

    private Tensor Embed(int[] ids, string table) => Weight(table).index_select(0, Ids(ids));

    private static Tensor Ids(int[] ids) => tensor(Array.ConvertAll(ids, id => (long)id), ScalarType.Int64);
}
