using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace GrpcRec.Engine.Models;

/// <summary>Reads and verifies the files of an artefact, the small ones first, so that each bounds the next.</summary>
internal static class ArtifactReader
{
    private const int BufferBytes = 1 << 16;

    public static (ModelManifest Manifest, ItemCatalog Items, IReadOnlyDictionary<string, WeightTensor> Tensors, IReadOnlyDictionary<string, IndexTensor> Indices) Read(
        string directory, ArtifactLimits limits)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        // 1. The manifest bounds everything else.
        var manifest = ReadManifest(directory, limits);

        // 2. The catalogue: size and digest before it is parsed.
        ItemCatalog items;
        using (var stream = OpenVerified(directory, ModelArtifact.ItemsFile, manifest, limits.MaxItemsBytes))
            items = CatalogFile.Parse(ReadAll(stream, ModelArtifact.ItemsFile), manifest, limits);

        // 3. The weights: size, digest, header, shapes, and only then memory for the numbers.
        using var weights = OpenVerified(directory, ModelArtifact.WeightsFile, manifest, limits.MaxWeightsBytes);
        var (tensors, indices) = ReadWeights(weights, manifest, limits);
        return (manifest, items, tensors, indices);
    }

    public static ModelManifest ReadManifest(string directory, ArtifactLimits limits)
    {
        const string name = ModelArtifact.ManifestFile;
        byte[] json;
        using (var stream = Open(directory, name))
        {
            if (stream.Length > limits.MaxManifestBytes)
                throw new ArtifactException($"{name} has {stream.Length} bytes; at most {limits.MaxManifestBytes} are read");
            json = ReadAll(stream, name);
        }

        ModelManifest manifest;
        try
        {
            // The version first: a later format may well have fields that are unknown here, and that is the better message.
            using (var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 16 }))
            {
                if (document.RootElement.ValueKind == JsonValueKind.Object
                    && document.RootElement.TryGetProperty("format_version", out var version)
                    && version.ValueKind == JsonValueKind.Number && version.TryGetInt64(out var number) && number != ModelManifest.CurrentFormat)
                    throw ManifestRules.UnknownFormat(number);
            }

            manifest = JsonSerializer.Deserialize(json, ManifestJson.Default.ModelManifest) ?? throw new ArtifactException($"{name} is null");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            var place = e is JsonException { Path: { Length: > 0 } path } ? $" at {path}" : "";
            throw new ArtifactException($"{name} is not a manifest of format {ModelManifest.CurrentFormat}{place}: a field is missing, unknown, repeated or of another type", e);
        }

        ManifestRules.Check(manifest, limits);
        // Names come from here, never from the manifest: no path of the manifest's choosing is ever opened.
        if (manifest.Files.Count != 2 || !manifest.Files.ContainsKey(ModelArtifact.WeightsFile) || !manifest.Files.ContainsKey(ModelArtifact.ItemsFile))
            throw new ArtifactException($"{name}: files must list {ModelArtifact.WeightsFile} and {ModelArtifact.ItemsFile}, and nothing else");
        return manifest;
    }

    private static (Dictionary<string, WeightTensor> Tensors, Dictionary<string, IndexTensor> Indices) ReadWeights(FileStream stream, ModelManifest manifest, ArtifactLimits limits)
    {
        const string name = ModelArtifact.WeightsFile;
        IReadOnlyList<SafetensorsEntry> entries;
        try
        {
            Span<byte> prefix = stackalloc byte[SafetensorsHeader.PrefixBytes];
            var read = stream.ReadAtLeast(prefix, prefix.Length, throwOnEndOfStream: false);
            var length = SafetensorsHeader.ReadLength(prefix[..read], stream.Length - read, limits.MaxHeaderBytes);
            var header = new byte[length];
            stream.ReadExactly(header);
            entries = SafetensorsHeader.Parse(header, stream.Length - read - length);
        }
        catch (ArtifactException e)
        {
            throw new ArtifactException($"{name}: {e.Message}", e);
        }

        TensorRules.CheckIndexShapes(manifest, entries.Where(entry => entry.IsInteger).Select(entry => KeyValuePair.Create(entry.Name, entry.Shape)));
        TensorRules.CheckShapes(manifest, entries.Where(entry => !entry.IsInteger).Select(entry => KeyValuePair.Create(entry.Name, entry.Shape)));
        if (manifest.ParameterCount != entries.Sum(entry => entry.Bytes / sizeof(float)))
            throw new ArtifactException($"{ModelArtifact.ManifestFile}: parameter_count is {manifest.ParameterCount} and {name} holds {entries.Sum(entry => entry.Bytes / sizeof(float))}");

        var tensors = new Dictionary<string, WeightTensor>(entries.Count, StringComparer.Ordinal);
        var indices = new Dictionary<string, IndexTensor>(StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            if (entry.IsInteger)
            {
                indices.Add(entry.Name, new IndexTensor(entry.Shape, ReadNumbers<int>(stream, entry.Bytes)));
                continue;
            }

            var data = ReadNumbers<float>(stream, entry.Bytes);
            TensorRules.CheckValues(entry.Name, data, limits.MagnitudeOf(manifest));
            tensors.Add(entry.Name, new WeightTensor(entry.Shape, data));
        }

        CountsRules.CheckValues(manifest, tensors, indices, limits);
        return (tensors, indices);
    }

    // The format is little-endian; so is every machine that .NET 10 runs on but s390x, which is refused.
    private static T[] ReadNumbers<T>(FileStream stream, long bytes)
        where T : unmanaged
    {
        var data = GC.AllocateUninitializedArray<T>((int)(bytes / sizeof(float)));
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("weights are read on little-endian machines only");
        const int part = 1 << 20;
        for (var done = 0; done < data.Length; done += part)
            stream.ReadExactly(MemoryMarshal.AsBytes<T>(data.AsSpan(done, Math.Min(part, data.Length - done))));
        return data;
    }

    /// <summary>The file at its beginning, once its size and SHA-256 are those of the manifest.</summary>
    private static FileStream OpenVerified(string directory, string name, ModelManifest manifest, long maxBytes)
    {
        var digest = manifest.Files[name];
        if (digest is null || !ManifestRules.IsSha256(digest.Sha256))
            throw new ArtifactException($"{ModelArtifact.ManifestFile}: files['{name}'].sha256 must be 64 lower-case hexadecimal digits");
        if (digest.Bytes < 0 || digest.Bytes > maxBytes)
            throw new ArtifactException($"{ModelArtifact.ManifestFile}: files['{name}'].bytes is {digest.Bytes}; at most {maxBytes} are read");
        var stream = Open(directory, name);
        try
        {
            if (stream.Length != digest.Bytes)
                throw new ArtifactException($"{name} has {stream.Length} bytes and the manifest says {digest.Bytes}: the file is incomplete or was changed");
            if (Convert.ToHexStringLower(SHA256.HashData(stream)) != digest.Sha256)
                throw new ArtifactException($"{name}: its SHA-256 is not the manifest's: the file is damaged or was changed");
            stream.Position = 0;
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    private static FileStream Open(string directory, string name)
    {
        try
        {
            return new FileStream(Path.Combine(directory, name), FileMode.Open, FileAccess.Read, FileShare.Read, BufferBytes, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ArtifactException($"{name} is missing: the directory is not a model artefact", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ArtifactException($"{name} cannot be opened for reading", e);
        }
    }

    private static byte[] ReadAll(FileStream stream, string name)
    {
        var bytes = GC.AllocateUninitializedArray<byte>(checked((int)stream.Length));
        if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) != bytes.Length)
            throw new ArtifactException($"{name} became shorter while it was read");
        return bytes;
    }
}
