using System.Runtime.InteropServices;
using System.Text.Json;
using GrpcRec.Engine.Models;

namespace GrpcRec.Export.Safetensors;

/// <summary>
/// A model as one safetensors file: every tensor under its name in the artefact (<see cref="ModelTensors"/>, <see cref="CountsManifest"/>), the
/// manifest as metadata under <see cref="ManifestKey"/>.
/// </summary>
public static class SafetensorsModel
{
    public const string ManifestKey = "grpcrec.manifest";

    /// <exception cref="IOException">The stream cannot be written.</exception>
    public static void Write(ModelArtifact model, Stream destination)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(destination);
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("weights are written on little-endian machines only");
        var manifest = model.Manifest;
        var metadata = new Dictionary<string, string>
        {
            ["format"] = "pt",
            ["grpcrec.name"] = manifest.Name,
            ["grpcrec.version"] = manifest.Version,
            // Of the files, the digests are of others than this one.
            [ManifestKey] = JsonSerializer.Serialize(manifest with { Files = new Dictionary<string, FileDigest>() }, ManifestJson.Default.ModelManifest),
        };
        string[] names = [.. model.TensorNames.Order(StringComparer.Ordinal)];
        string[] indices = [.. model.IndexNames.Order(StringComparer.Ordinal)];
        destination.Write(SafetensorsHeader.Format(
            [.. names.Select(name => (name, model.Shape(name).ToArray())), .. indices.Select(name => (name, model.Indices(name).Shape))],
            metadata, indices.ToHashSet(StringComparer.Ordinal)));
        foreach (var name in names)
            WriteNumbers(model.Weights(name), destination);
        foreach (var name in indices)
            WriteNumbers<int>(model.Indices(name).Data, destination);
    }

    private static void WriteNumbers<T>(ReadOnlySpan<T> numbers, Stream destination)
        where T : unmanaged
    {
        const int Part = 1 << 20;
        for (var done = 0; done < numbers.Length; done += Part)
            destination.Write(MemoryMarshal.AsBytes(numbers.Slice(done, Math.Min(Part, numbers.Length - done))));
    }
}
