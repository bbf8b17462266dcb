using GrpcRec.Engine.Models;

namespace GrpcRec.Export.Onnx;

/// <summary>
/// LSTM, GRU and Elman RNN as ONNX's own operators, one for each layer. Their rows of gates stand in another order than ours (LSTM
/// i,o,f,c for i,f,g,o; GRU z,r,h for r,z,n), and they keep a bias for the input's product and one for the state's.
/// A minimal GRU is a GRU whose state's weights are zero and whose z has its sign turned. A sequence of no event gives a hidden state of zeros, as it does here.
/// </summary>
internal sealed class OnnxRecurrent(OnnxGraph graph, OnnxOptions options) : OnnxEncoder(graph)
{
    private const string MicrosoftDomain = "com.microsoft";

    private readonly string _lengths = options.ReadsLengths ? Lengths : "";

    /// <summary>For each gate of ONNX, which of ours it is.</summary>
    private int[] Order => Encoder.Kind switch
    {
        EncoderKind.Lstm => [0, 3, 1, 2],
        EncoderKind.Gru => [1, 0, 2],
        _ => [0],
    };

    /// <summary>ONNX's names of the gates, for the metadata.</summary>
    public static string GateOrder(EncoderKind kind) => kind switch { EncoderKind.Lstm => "iofc", EncoderKind.Gru or EncoderKind.MinGru => "zrh", _ => "" };

    public override void Build()
    {
        // Operators read time first: [T, B, I].
        var x = Events(ids => Graph.Node("Transpose", [ids], null, OnnxGraph.Attribute("perm", 1, 0)));
        for (var layer = 0; layer < Encoder.Layers; layer++)
        {
            var last = layer == Encoder.Layers - 1;
            // [T, directions, B, H] of all steps for a layer below, [directions, B, H] of each sequence's last step for the heads.
            var name = $"{Encoder.Kind}.{layer}".ToLowerInvariant();
            Layer(layer, x, last ? ["", name + ".last"] : [name + ".all"]);
            x = last ? Graph.Squeeze(name + ".last", 0, Hidden) : Graph.Squeeze(name + ".all", 1);
        }
    }

    private void Layer(int layer, string x, string[] outputs)
    {
        if (Encoder.Kind == EncoderKind.MinGru)
        {
            MinimalLayer(layer, x, outputs);
            return;
        }

        var width = layer == 0 ? EventWidth : Encoder.HiddenSize;
        var (inputWeight, stateWeight) = (ModelTensors.InputWeight(layer, Encoder.Kind), ModelTensors.RecurrentWeight(layer, Encoder.Kind));
        var w = Reordered(Graph.Model.Weights(inputWeight), width);
        var r = Reordered(Graph.Model.Weights(stateWeight), Encoder.HiddenSize);
        var bias = Graph.Floats($"{ModelTensors.Bias(layer, Encoder.Kind)}.onnx", Biases(layer), 1, 2 * Rows);
        var size = OnnxGraph.Attribute("hidden_size", Encoder.HiddenSize);
        if (Encoder.Kind == EncoderKind.Lstm && options.Int8)
        {
            var input = Quantised(inputWeight, w, width);
            var state = Quantised(stateWeight, r, Encoder.HiddenSize);
            Graph.AddNode("DynamicQuantizeLSTM", [x, input.Weights, state.Weights, bias, _lengths, "", "", "", input.Scales, input.Zeros, state.Scales, state.Zeros],
                outputs, [size], MicrosoftDomain);
            return;
        }

        string[] inputs = [x, Graph.Floats(inputWeight + ".onnx", w, 1, Rows, width), Graph.Floats(stateWeight + ".onnx", r, 1, Rows, Encoder.HiddenSize), bias, _lengths];
        if (Encoder.Kind == EncoderKind.Gru)
            Graph.AddNode("GRU", inputs, outputs, [size, OnnxGraph.Attribute("linear_before_reset", Encoder.ResetPlacement == ResetPlacement.AfterProduct ? 1 : 0)]);
        else
            Graph.AddNode(Encoder.Kind == EncoderKind.Lstm ? "LSTM" : "RNN", inputs, outputs, [size]);
    }

    /// <summary>As GRU's z, r, h: of an input's weights -z, zeros, n.</summary>
    private void MinimalLayer(int layer, string x, string[] outputs)
    {
        int hidden = Encoder.HiddenSize, width = layer == 0 ? EventWidth : hidden;
        var (weight, bias) = (ModelTensors.InputWeight(layer, Encoder.Kind), ModelTensors.Bias(layer, Encoder.Kind));
        float[] AsGru(ReadOnlySpan<float> rows, int columns, int blocks)
        {
            var gates = new float[blocks * hidden * columns];
            for (var i = 0; i < hidden * columns; i++)
                (gates[i], gates[(2 * hidden * columns) + i]) = (-rows[i], rows[(hidden * columns) + i]);
            return gates;
        }

        Graph.AddNode(
            "GRU",
            [
                x, Graph.Floats(weight + ".onnx", AsGru(Graph.Model.Weights(weight), width, 3), 1, 3 * hidden, width),
                Graph.Floats($"mingru.l{layer}.weight_hh.onnx", new float[3 * hidden * hidden], 1, 3 * hidden, hidden),
                Graph.Floats(bias + ".onnx", AsGru(Graph.Model.Weights(bias), 1, 6), 1, 6 * hidden), _lengths,
            ],
            outputs, [OnnxGraph.Attribute("hidden_size", hidden)]);
    }

    /// <summary>G·H.</summary>
    private int Rows => Order.Length * Encoder.HiddenSize;

    /// <summary>[2·G·H] the input's biases, then the state's: zeros, but for a GRU that adds one inside its reset.</summary>
    private float[] Biases(int layer)
    {
        var biases = new float[2 * Rows];
        Reordered(Graph.Model.Weights(ModelTensors.Bias(layer, Encoder.Kind)), 1).CopyTo(biases, 0);
        if (Encoder.ResetPlacement == ResetPlacement.AfterProduct)
            Graph.Model.Weights(ModelTensors.ResetBias(layer)).CopyTo(biases.AsSpan(Rows + (2 * Encoder.HiddenSize)));
        return biases;
    }

    private float[] Reordered(ReadOnlySpan<float> rows, int width)
    {
        var block = Encoder.HiddenSize * width;
        var reordered = new float[rows.Length];
        for (var gate = 0; gate < Order.Length; gate++)
            rows.Slice(Order[gate] * block, block).CopyTo(reordered.AsSpan(gate * block));
        return reordered;
    }

    /// <summary>Weights [G·H, K] as 8-bit [1, K, G·H], symmetric: w ≈ scale[row]·code, codes -127…127.</summary>
    private (string Weights, string Scales, string Zeros) Quantised(string name, float[] weights, int width)
    {
        var scales = new float[Rows];
        var codes = new sbyte[weights.Length];
        for (var row = 0; row < Rows; row++)
        {
            var values = weights.AsSpan(row * width, width);
            var largest = 0f;
            foreach (var value in values)
                largest = MathF.Max(largest, MathF.Abs(value));
            // A row of zeros has codes of zero whatever its scale; a scale of zero would be refused.
            scales[row] = largest > 0 ? largest / 127 : 1;
            for (var column = 0; column < width; column++)
                codes[(column * Rows) + row] = (sbyte)Math.Clamp(MathF.Round(values[column] / scales[row]), -127, 127);
        }

        return (Graph.Bytes(name + ".int8", codes, 1, width, Rows), Graph.Floats(name + ".scale", scales, 1, Rows), Graph.Bytes(name + ".zero_point", new sbyte[Rows], 1, Rows));
    }
}
