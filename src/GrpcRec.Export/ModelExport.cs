using GrpcRec.Engine.Models;
using GrpcRec.Export.Onnx;
using GrpcRec.Export.Safetensors;

namespace GrpcRec.Export;

/// <summary>Writes a model for other runtimes.</summary>
public static class ModelExport
{
    /// <summary>Names that callers give a format by.</summary>
    public static IReadOnlyDictionary<string, ExportFormat> Formats { get; } = new Dictionary<string, ExportFormat>(StringComparer.Ordinal)
    {
        ["safetensors"] = ExportFormat.Safetensors,
        ["onnx"] = ExportFormat.Onnx,
    };

    /// <exception cref="ExportException">The format cannot hold the model; nothing has been written.</exception>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    public static void Write(ModelArtifact model, ExportFormat format, Stream destination)
    {
        if (format == ExportFormat.Onnx)
            OnnxModel.Write(model, destination);
        else
            SafetensorsModel.Write(model, destination);
    }
}
