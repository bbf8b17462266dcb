using GrpcRec.Engine.Models;
using GrpcRec.Export.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace GrpcRec.Benchmarks.Encoding;

/// <summary>
/// The same weights under ONNX Runtime: our own export, all graph optimisations on, without the lengths that a batch of one length does
/// not need, and with the hidden state as its only output.
/// </summary>
public sealed class OnnxEncoder : ISequenceEncoder
{
    private const string Items = "item_ids";
    private static readonly string[] Inputs = [Items], Outputs = ["hidden"];

    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();

    public OnnxEncoder(ModelArtifact model, bool int8, int threads)
    {
        using var options = OrtSettings.Create(threads);
        _session = new InferenceSession(OnnxModel.ToBytes(model, new OnnxOptions { Int8 = int8, ReadsLengths = false, CatalogLogits = false, TaskLogits = false }), options);
        Name = $"{OrtSettings.Name}{(int8 ? " int8" : "")}";
    }

    public string Name { get; }

    public void Prepare()
    {
    }

    public void Encode(EventBatch batch, Span<float> hidden)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using var ids = OrtValue.CreateTensorValueFromMemory(batch.LongItems, [batch.Size, batch.Length]);
        using var results = _session.Run(_options, Inputs, [ids], Outputs);
        results[0].GetTensorDataAsSpan<float>().CopyTo(hidden);
    }

    public void Dispose()
    {
        _session.Dispose();
        _options.Dispose();
    }
}
