using GrpcRec.Engine.Models;

namespace GrpcRec.Export.Onnx;

/// <summary>Mean of the events, then dense layers. Events behind a sequence's end are multiplied by zero before they are summed.</summary>
internal sealed class OnnxBag(OnnxGraph graph) : OnnxEncoder(graph)
{
    public override void Build()
    {
        // 1. Which places of [B, T] hold an event.
        var places = Graph.Unsqueeze(Graph.Places(Longest(Graph)), 0);
        var lengths = LengthColumn(Graph);
        var present = Graph.ToFloat(Graph.Node("Less", [places, lengths]));

        // 2. Their mean [B, I]; of none it is zero.
        var events = Graph.Node("Mul", [Events(ids => ids), Graph.Unsqueeze(present, 2)]);
        var sum = Graph.Node("ReduceSum", [events, Graph.Integers(1)], null, OnnxGraph.Attribute("keepdims", 0));
        var x = Graph.Node("Div", [sum, Graph.ToFloat(Graph.Node("Max", [lengths, Graph.Integers(1)]))]);

        // 3. Dense layers.
        for (var layer = 0; layer < Encoder.Layers; layer++)
        {
            x = Graph.Affine(x, ModelTensors.BagWeight(layer), ModelTensors.BagBias(layer));
            x = layer < Encoder.Layers - 1 ? Graph.Relu(x) : Graph.Node("Tanh", [x], Hidden);
        }
    }
}
