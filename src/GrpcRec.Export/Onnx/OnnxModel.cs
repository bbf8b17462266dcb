using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using GrpcRec.Engine.Models;

namespace GrpcRec.Export.Onnx;

/// <summary>
/// A model as one ONNX file. Inputs: <c>item_ids</c> and (when the model reads them) <c>behavior_ids</c> [batch, time] int64, dense ids,
/// padded at the end, <c>event.{feature}</c> of the same shape for each event feature but those of the item, and <c>request.{feature}</c> [batch]
/// int64 for each request feature that a task reads: indices, 0 for what is not known; <c>lengths</c> [batch] int32, 0 allowed;
/// <c>candidate_ids</c> [batch, candidates] int64 when a task reads one.
/// Outputs: <c>hidden</c> [batch, H]; <c>logits.{task}</c> [batch, candidates, C], or [batch, C] of a task without candidates, or
/// [batch, V] of next_item.
/// </summary>
public static class OnnxModel
{
    /// <exception cref="ExportException">The model is more than an ONNX file can hold, or <paramref name="options"/> does not fit its kind.</exception>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    public static void Write(ModelArtifact model, Stream destination, OnnxOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(destination);
        Build(model, options ?? OnnxOptions.Default).WriteTo(destination);
    }

    /// <summary>The file in memory.</summary>
    /// <exception cref="ExportException">As of <see cref="Write"/>.</exception>
    public static byte[] ToBytes(ModelArtifact model, OnnxOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Build(model, options ?? OnnxOptions.Default).ToByteArray();
    }

    private static ModelProto Build(ModelArtifact model, OnnxOptions options)
    {
        var manifest = model.Manifest;
        if (manifest.Encoder.Kind == EncoderKind.Counts)
            throw new ExportException("the model is one of counts and has no network to write as ONNX: export its tables as safetensors, or serve it here");
        if (options.Int8 && manifest.Encoder.Kind != EncoderKind.Lstm)
            throw new ExportException($"the model's encoder is a {manifest.Encoder.Kind}; only an lstm has an 8-bit ONNX form");
        if (!options.ReadsLengths && manifest.Encoder.Kind is EncoderKind.Bag or EncoderKind.Cnn)
            throw new ExportException($"the model's encoder is a {manifest.Encoder.Kind}; only a recurrent one can be exported without lengths");
        var graph = new OnnxGraph(model, options);

        // 1. Inputs.
        graph.Input(OnnxEncoder.ItemIds, TensorProto.Types.DataType.Int64, "Dense item ids of the events, oldest first, padded at the end by any valid id.", "batch", "time");
        if (manifest.Encoder.BehaviorEmbeddingSize > 0)
            graph.Input(OnnxEncoder.BehaviorIds, TensorProto.Types.DataType.Int64, "Dense behaviour ids of the events.", "batch", "time");
        foreach (var feature in OnnxEncoder.InputFeatures(manifest))
            graph.Input(OnnxEncoder.EventInput(feature.Name), TensorProto.Types.DataType.Int64, Meaning(feature), "batch", "time");
        if (options.ReadsLengths)
            graph.Input(OnnxEncoder.Lengths, TensorProto.Types.DataType.Int32, "Events of each sequence.", "batch");
        if (OnnxHeads.ReadsCandidates(manifest, options))
        {
            graph.Input(OnnxTrunk.CandidateIds, TensorProto.Types.DataType.Int64, "Dense ids of the items to score.", "batch", "candidates");
            foreach (var feature in manifest.RequestFeatures)
                graph.Input(OnnxTrunk.RequestInput(feature.Name), TensorProto.Types.DataType.Int64, "1 + the place of the request's value among the manifest's; 0: not known.", "batch");
        }

        // 2. Encoder and heads.
        OnnxEncoder.Create(graph, options).Build();
        graph.Output(OnnxEncoder.Hidden, "Hidden state of the top layer after the last event.", "batch", manifest.Encoder.HiddenSize);
        new OnnxHeads(graph, options).Build();

        return Wrap(graph);
    }

    private static string Meaning(EventFeatureManifest feature) => feature.Source switch
    {
        FeatureSource.Context => "1 + the place of the event's value among the manifest's; 0: not known.",
        FeatureSource.TimeGap => "1 + the manifest's boundaries at or below the milliseconds since the event before; 0: not known.",
        _ => "1 + the manifest's boundaries at or below the event's value; 0: none.",
    };

    /// <summary>A finished graph with what is to be known of it.</summary>
    internal static ModelProto Wrap(OnnxGraph graph)
    {
        var manifest = graph.Manifest;
        var proto = new ModelProto
        {
            IrVersion = OnnxGraph.IrVersion,
            ProducerName = "GrpcRec",
            ProducerVersion = typeof(OnnxModel).Assembly.GetName().Version?.ToString(3) ?? "",
            Graph = graph.Finish(),
        };
        proto.Graph.Name = $"{manifest.Name}-{manifest.Version}";
        proto.OpsetImport.Add(new OperatorSetIdProto { Version = OnnxGraph.OperatorSet });
        if (graph.UsesMicrosoftOperators)
            proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        foreach (var (key, value) in Metadata(manifest))
            proto.MetadataProps.Add(new StringStringEntryProto { Key = key, Value = value });
        return proto;
    }

    private static IEnumerable<(string Key, string Value)> Metadata(ModelManifest manifest)
    {
        yield return ("grpcrec.name", manifest.Name);
        yield return ("grpcrec.version", manifest.Version);
        yield return ("grpcrec.created_at", manifest.CreatedAt.ToString("O", CultureInfo.InvariantCulture));
        if (OnnxRecurrent.GateOrder(manifest.Encoder.Kind) is { Length: > 0 } order)
            yield return ("grpcrec.gate_order", $"{order}, reordered from {manifest.Encoder.GateOrder}");
        // Of the files, the digests are of others than this one.
        yield return ("grpcrec.manifest", JsonSerializer.Serialize(manifest with { Files = new Dictionary<string, FileDigest>() }, ManifestJson.Default.ModelManifest));
    }
}
