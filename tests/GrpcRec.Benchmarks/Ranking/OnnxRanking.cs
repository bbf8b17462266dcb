using Google.Protobuf;
using GrpcRec.Benchmarks.Encoding;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Export.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace GrpcRec.Benchmarks.Ranking;

/// <summary>The same in ONNX Runtime: MatMul of the queries with the items' vectors, then TopK. Queries are given as they are.</summary>
public sealed class OnnxRanking : IDisposable
{
    private const string Queries = "queries", Scores = "scores", Best = "best", Ids = "ids";
    private static readonly string[] Inputs = [Queries], Outputs = [Best, Ids];

    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();

    public OnnxRanking(ModelArtifact model, int k, int threads)
    {
        ArgumentNullException.ThrowIfNull(model);
        var graph = new OnnxGraph(model, OnnxOptions.Default);
        graph.Input(Queries, TensorProto.Types.DataType.Float, "Queries.", "batch", model.Manifest.Encoder.EmbeddingSize);
        // Weights that are a constant of the graph are packed once, at load.
        graph.AddNode("MatMul", [Queries, graph.Transposed(ModelTensors.ItemEmbedding)], [Scores], []);
        graph.AddNode("TopK", [Scores, graph.Integers(k)], [Best, Ids], [OnnxGraph.Attribute("axis", -1), OnnxGraph.Attribute("largest", 1), OnnxGraph.Attribute("sorted", 1)]);
        graph.Output(Best, "Scores of the best, best first.", "batch", k);
        graph.Output(Ids, TensorProto.Types.DataType.Int64, "Their dense ids.", "batch", k);
        using var options = OrtSettings.Create(threads);
        _session = new InferenceSession(OnnxModel.Wrap(graph).ToByteArray(), options);
    }

    public static string Name => OrtSettings.Name + " MatMul+TopK";

    /// <param name="queries">[B, E].</param>
    public IDisposableReadOnlyCollection<OrtValue> Run(float[] queries, int batch)
    {
        ArgumentNullException.ThrowIfNull(queries);
        using var input = OrtValue.CreateTensorValueFromMemory(queries, [batch, queries.Length / batch]);
        return _session.Run(_options, Inputs, [input], Outputs);
    }

    /// <summary>[B] the best of each query.</summary>
    public RankedItem[][] Rank(float[] queries, int batch)
    {
        using var results = Run(queries, batch);
        var scores = results[0].GetTensorDataAsSpan<float>();
        var ids = results[1].GetTensorDataAsSpan<long>();
        var k = ids.Length / batch;
        var ranked = new RankedItem[batch][];
        for (var n = 0; n < batch; n++)
        {
            ranked[n] = new RankedItem[k];
            for (var i = 0; i < k; i++)
                ranked[n][i] = new RankedItem((int)ids[(n * k) + i], scores[(n * k) + i]);
        }

        return ranked;
    }

    public void Dispose()
    {
        _session.Dispose();
        _options.Dispose();
    }
}
