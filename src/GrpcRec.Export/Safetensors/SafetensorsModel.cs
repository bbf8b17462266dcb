using System.Runtime.InteropServices;
using System.Text.Json;
using GrpcRec.Engine.Models;

namespace GrpcRec.Export.Safetensors;

/// <summary>
/// A model as one safetensors file: every tensor under its name in the artefact (<see cref="ModelTensors"/> says what each is), the
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
        destination.Write(SafetensorsHeader.Format(names.Select(name => (name, model.Shape(name).ToArray())), metadata));
        foreach (var name in names)
        {
            const int Part = 1 << 20;
            var data = model.Weights(name);
            for (var done = 0; done < data.Length; done += Part)
                destination.Write(MemoryMarshal.AsBytes(data.Slice(done, Math.Min(Part, data.Length - done))));
        }
    }
}
