namespace GrpcRec.Export;

public enum ExportFormat
{
    /// <summary>All weights by their names, with the manifest as metadata. What every framework reads as data.</summary>
    Safetensors,

    /// <summary>The model as a graph, for ONNX Runtime, Triton and others that run it.</summary>
    Onnx,
}
