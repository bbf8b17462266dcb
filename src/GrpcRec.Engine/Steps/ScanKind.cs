using System.Text.Json.Serialization;

namespace GrpcRec.Engine.Steps;

/// <summary>How the CPU engine reads the catalogue for a top-k. All give the same items and the same bits of their scores.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ScanKind>))]
public enum ScanKind
{
    /// <summary>Bytes where that is faster and the table of them is within its budget.</summary>
    Auto,

    /// <summary>Every score in float32.</summary>
    Float32,

    /// <summary>Bounds from bytes, a quarter of the memory; float32 for what the bounds leave.</summary>
    Int8,
}
