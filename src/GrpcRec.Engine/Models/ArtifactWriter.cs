using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace GrpcRec.Engine.Models;

/// <summary>
/// Writes into a sibling directory, flushes every file to the disk, and renames: a reader sees the whole artefact or none. What a crash
/// leaves behind begins with a full stop, so no registry takes it for a version.
/// </summary>
internal static class ArtifactWriter
{
    public static void Write(string directory, ModelArtifact artifact, IReadOnlyDictionary<string, WeightTensor> tensors)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        if (Path.Exists(target))
            throw Exists();
        var parent = Path.GetDirectoryName(target) ?? throw new ArtifactException("an artefact cannot be written to the root of the file system");
        var temporary = Path.Combine(parent, $".{Path.GetFileName(target)}.{Path.GetRandomFileName()}.tmp");
        try
        {
            Directory.CreateDirectory(temporary);
            // 1. The two data files, with their digests.
            var ordered = tensors.OrderBy(tensor => tensor.Key, StringComparer.Ordinal).ToList();
            string[] indices = [.. artifact.IndexNames.Order(StringComparer.Ordinal)];
            var files = new Dictionary<string, FileDigest>
            {
                [ModelArtifact.ItemsFile] = WriteFile(temporary, ModelArtifact.ItemsFile, stream => CatalogFile.Write(stream, artifact.Items)),
                [ModelArtifact.WeightsFile] = WriteFile(temporary, ModelArtifact.WeightsFile, stream =>
                {
                    stream.Write(SafetensorsHeader.Format(
                        [.. ordered.Select(tensor => (tensor.Key, tensor.Value.Shape)), .. indices.Select(name => (name, artifact.Indices(name).Shape))],
                        integers: indices.ToHashSet(StringComparer.Ordinal)));
                    foreach (var tensor in ordered)
                        WriteNumbers(stream, tensor.Value.Data);
                    foreach (var name in indices)
                        WriteNumbers(stream, artifact.Indices(name).Data);
                }),
            };

            // 2. The manifest, which vouches for them.
            var manifest = artifact.Manifest with { Files = files, ParameterCount = tensors.Values.Sum(tensor => (long)tensor.Data.Length) + indices.Sum(name => (long)artifact.Indices(name).Data.Length) };
            WriteFile(temporary, ModelArtifact.ManifestFile, stream => JsonSerializer.Serialize(stream, manifest, ManifestJson.Default.ModelManifest));

            // 3. One rename makes it visible. It fails when another writer was first.
            if (Path.Exists(target))
                throw Exists();
            Directory.Move(temporary, target);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ArtifactException(Path.Exists(target) ? Exists().Message : "the artefact cannot be written: check that its directory is writable and its disk has room", e);
        }
        finally
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
        }
    }

    private static ArtifactException Exists() => new("the artefact's directory exists already, and an artefact is never overwritten: choose another version");

    private static FileDigest WriteFile(string directory, string name, Action<Stream> write)
    {
        using var hash = SHA256.Create();
        using var file = new FileStream(Path.Combine(directory, name), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16);
        using (var hashing = new CryptoStream(file, hash, CryptoStreamMode.Write, leaveOpen: true))
        using (var buffered = new BufferedStream(hashing, 1 << 16))
            write(buffered);
        file.Flush(flushToDisk: true);
        return new FileDigest(file.Length, Convert.ToHexStringLower(hash.Hash!));
    }

    /// <summary>Numbers of 4 bytes.</summary>
    private static void WriteNumbers<T>(Stream stream, T[] data)
        where T : unmanaged
    {
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("weights are written on little-endian machines only");
        const int part = 1 << 20;
        for (var done = 0; done < data.Length; done += part)
            stream.Write(MemoryMarshal.AsBytes<T>(data.AsSpan(done, Math.Min(part, data.Length - done))));
    }
}
