using GrpcRec.Engine.Models;

namespace GrpcRec.Export.Onnx;

/// <summary>Horizontal and vertical filters over the last L events; places before the first event read zeros.</summary>
internal sealed class OnnxConvolution(OnnxGraph graph) : OnnxEncoder(graph)
{
    private int Window => Encoder.WindowLength;

    public override void Build()
    {
        // 1. The window's places [B, L] in each sequence: length - L … length - 1; negative where there was no event yet.
        var places = Graph.Node("Sub", [LengthColumn(Graph), Offsets()]);
        var present = Graph.ToFloat(Graph.Node("GreaterOrEqual", [places, Graph.Integers(0)]));
        places = Graph.Node("Max", [places, Graph.Integers(0)]);

        // 2. Its events [B, L, I].
        var window = Graph.Node("Mul", [Events(ids => InWindow(ids, places)), Graph.Unsqueeze(present, 2)]);

        // 3. Filters, all features side by side.
        var columns = Graph.Node("Transpose", [window], null, OnnxGraph.Attribute("perm", 0, 2, 1));
        var features = Encoder.FilterHeights.Select(height => Horizontal(columns, height)).ToList();
        if (Encoder.VerticalFilters > 0)
        {
            // [Fv, L]·[B, L, I] = [B, Fv, I].
            var sums = Graph.Node("MatMul", [Graph.Weight(ModelTensors.VerticalWeight), window]);
            features.Add(Graph.Node("Flatten", [sums], null, OnnxGraph.Attribute("axis", 1)));
        }

        var output = Graph.Affine(Graph.Concat(1, features.ToArray()), ModelTensors.ConvolutionOutputWeight, ModelTensors.ConvolutionOutputBias);
        Graph.Node("Tanh", [output], Hidden);
    }

    /// <summary>[1, L]: L … 1, how far before a sequence's end each place is.</summary>
    private string Offsets() =>
        Graph.Unsqueeze(Graph.Integers([.. Enumerable.Range(0, Window).Select(place => (long)(Window - place))]), 0);

    private string InWindow(string ids, string places) => Graph.Node("GatherElements", [ids, places], null, OnnxGraph.Attribute("axis", 1));

    /// <summary>[B, F] the largest of relu(W·x + b) over the window's places.</summary>
    /// <param name="columns">[B, I, L].</param>
    private string Horizontal(string columns, int height)
    {
        // Ours [F, k, I]; a convolution's [F, I, k].
        var name = ModelTensors.HorizontalWeight(height);
        var source = Graph.Model.Weights(name);
        var filters = Encoder.HorizontalFilters;
        var weights = new float[source.Length];
        for (var filter = 0; filter < filters; filter++)
        {
            for (var row = 0; row < height; row++)
            {
                for (var column = 0; column < EventWidth; column++)
                    weights[(((filter * EventWidth) + column) * height) + row] = source[(((filter * height) + row) * EventWidth) + column];
            }
        }

        var weight = Graph.Floats(name + ".onnx", weights, filters, EventWidth, height);
        var sums = Graph.Node("Conv", [columns, weight, Graph.Weight(ModelTensors.HorizontalBias(height))]);
        return Graph.Node("ReduceMax", [Graph.Relu(sums)], null, OnnxGraph.Attribute("axes", [2]), OnnxGraph.Attribute("keepdims", 0));
    }
}
