using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Tests.Models;

public sealed class ArtifactTests : IDisposable
{
    private static readonly ModelShape Shape = new(4, BehaviorEmbedding: 2, Tied: false, Catalog: 20);

    private static readonly string[] Insertions = ["\"", "\\ud800", "-", "e9", "99999999999999999999", "[", "}", ","];

    private readonly string _root = Directory.CreateTempSubdirectory("grpcrec-").FullName;

    private string Target => Path.Combine(_root, "1");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Load_WhatWasWritten_IsTheSame()
    {
        var manifest = RandomModel.Manifest(Shape);
        var tensors = RandomModel.Tensors(manifest, 1);
        ModelArtifact.Write(Target, manifest, RandomModel.Items(20), tensors);
        var model = ModelArtifact.Load(Target);

        Assert.Equal(tensors.Sum(tensor => (long)tensor.Value.Data.Length), model.Manifest.ParameterCount);
        Assert.Equal(2, model.Manifest.Files.Count);
        Assert.Equal(manifest.Encoder, model.Manifest.Encoder with { FilterHeights = manifest.Encoder.FilterHeights });
        Assert.Equal(manifest.CreatedAt, model.Manifest.CreatedAt);
        Assert.Equal(manifest.Tasks.Select(task => (task.Name, task.Kind, task.NeedsCandidate)), model.Manifest.Tasks.Select(task => (task.Name, task.Kind, task.NeedsCandidate)));
        Assert.Equal(manifest.Metrics, model.Manifest.Metrics);
        Assert.Equal(RandomModel.Items(20).Items, model.Items.Items);
        foreach (var (name, tensor) in tensors)
            Assert.Equal(tensor.Data, model.Weights(name).ToArray());
        Assert.Equal([Target], Directory.GetFileSystemEntries(_root)); // No temporary directory is left.
    }

    [Fact]
    public void Write_DirectoryExists_RefusesAndLeavesIt()
    {
        Written();
        var before = File.ReadAllBytes(Path.Combine(Target, ModelArtifact.ManifestFile));
        var manifest = RandomModel.Manifest(Shape);
        Assert.Throws<ArtifactException>(() => ModelArtifact.Write(Target, manifest, RandomModel.Items(20), RandomModel.Tensors(manifest, 2)));
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(Target, ModelArtifact.ManifestFile)));
        Assert.Single(Directory.GetFileSystemEntries(_root));
    }

    [Fact]
    public void Write_NaNWeight_RefusesAndWritesNothing()
    {
        var manifest = RandomModel.Manifest(Shape);
        var tensors = RandomModel.Tensors(manifest, 1);
        tensors[ModelTensors.Bias(0)].Data[3] = float.NaN;
        Refused(() => ModelArtifact.Write(Target, manifest, RandomModel.Items(20), tensors), ModelTensors.Bias(0));
        Assert.Empty(Directory.GetFileSystemEntries(_root));
    }

    public static TheoryData<string, string> Damages => new()
    {
        { "flipped weight byte", "SHA-256" },
        { "flipped item byte", "SHA-256" },
        { "truncated weights", "bytes" },
        { "truncated items", "bytes" },
        { "missing weights", "missing" },
        { "missing manifest", "missing" },
        { "huge header", "header claims" },
        { "header past file", "header claims" },
        { "nan weight", "bottom.bias" },
        { "weight past limit", "bottom.bias" },
        { "wrong shape", "shape" },
        { "extra tensor", "not one that the manifest demands" },
        { "missing tensor", "is missing" },
        { "overlap", "overlap" },
        { "duplicate item", "item-3" },
        { "blank line", "lines" },
        { "unknown item field", "line 1" },
        { "category out of range", "category" },
        { "unknown format", "format_version is 2" },
        { "unknown field", "manifest" },
        { "repeated field", "manifest" },
        { "path in files", "files must list" },
        { "extra file", "files must list" },
        { "bad task name", "tasks" },
        { "two next_item tasks", "next_item" },
        { "width past limit", "hidden_size" },
        { "catalogue past limit", "catalog_size" },
        { "null encoder", "manifest" },
        { "manifest past limit", "at most" },
        { "parameter count", "parameter_count" },
        { "not json", "manifest" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void Load_Damaged_SaysWhat(string damage, string expected)
    {
        Written();
        var limits = damage == "manifest past limit" ? new ArtifactLimits { MaxManifestBytes = 100 } : null;
        Damage(damage);
        Refused(() => ModelArtifact.Load(Target, limits), expected);
    }

    [Fact]
    public void Load_Undamaged_Passes()
    {
        // The rewriting that the damages go through does no harm of its own.
        Written();
        EditManifest(_ => { });
        EditWeights(bytes => bytes);
        EditItems(text => text);
        Assert.Equal(20, ModelArtifact.Load(Target).Items.Count);
    }

    [Fact]
    public void SafetensorsHeader_RandomBytes_GiveOnlyArtifactException() =>
        Gen.Select(Gen.Byte.Array[0, 200], Gen.Long[-10, 1000]).Sample((bytes, size) => Survives(bytes, size), iter: 5000);

    [Fact]
    public void SafetensorsHeader_MutatedHeader_GivesOnlyArtifactException()
    {
        var header = SafetensorsHeader.Format([("a", [2, 3]), ("b", [4])]).AsSpan(SafetensorsHeader.PrefixBytes).ToArray();
        Assert.Equal(["a", "b"], SafetensorsHeader.Parse(header, 40).Select(entry => entry.Name));
        Gen.Select(Gen.Int[0, header.Length - 1], Gen.Byte, Gen.Int[0, header.Length - 1], Gen.Int[0, Insertions.Length - 1]).Sample(
            (at, value, cut, insertion) =>
            {
                var text = Insertions[insertion];
                var changed = (byte[])header.Clone();
                changed[at] = value;
                Survives(changed, 40);
                Survives([.. header[..cut], .. Encoding.UTF8.GetBytes(text), .. header[cut..]], 40);
            },
            iter: 5000);
    }

    private static void Survives(byte[] header, long dataBytes)
    {
        try
        {
            SafetensorsHeader.ReadLength(header, dataBytes, 1000);
        }
        catch (ArtifactException)
        {
        }

        try
        {
            SafetensorsHeader.Parse(header, dataBytes);
        }
        catch (ArtifactException)
        {
        }
    }

    private void Refused(Action action, string expected)
    {
        var error = Assert.Throws<ArtifactException>(action);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(_root, error.Message, StringComparison.Ordinal);
    }

    private void Written()
    {
        var manifest = RandomModel.Manifest(Shape);
        ModelArtifact.Write(Target, manifest, RandomModel.Items(20), RandomModel.Tensors(manifest, 1));
    }

    private void Damage(string damage)
    {
        string weights = Path.Combine(Target, ModelArtifact.WeightsFile), items = Path.Combine(Target, ModelArtifact.ItemsFile);
        string manifest = Path.Combine(Target, ModelArtifact.ManifestFile);
        switch (damage)
        {
            case "flipped weight byte": Flip(weights); break;
            case "flipped item byte": Flip(items); break;
            case "truncated weights": File.WriteAllBytes(weights, File.ReadAllBytes(weights)[..^4]); break;
            case "truncated items": File.WriteAllBytes(items, File.ReadAllBytes(items)[..^4]); break;
            case "missing weights": File.Delete(weights); break;
            case "missing manifest": File.Delete(manifest); break;
            case "huge header": EditWeights(bytes => With(bytes, span => BinaryPrimitives.WriteUInt64LittleEndian(span, ulong.MaxValue))); break;
            case "header past file": EditWeights(bytes => With(bytes, span => BinaryPrimitives.WriteUInt64LittleEndian(span, 500_000))); break;
            case "nan weight": EditTensors(tensors => tensors[ModelTensors.BottomBias].Data[1] = float.NaN); break;
            case "weight past limit": EditTensors(tensors => tensors[ModelTensors.BottomBias].Data[1] = -2e4f); break;
            case "wrong shape": EditTensors(tensors => tensors[ModelTensors.BottomBias] = new WeightTensor([2, 5], new float[10])); break;
            case "extra tensor": EditTensors(tensors => tensors["zz"] = new WeightTensor([1], [1])); break;
            case "missing tensor": EditTensors(tensors => tensors.Remove(ModelTensors.BottomBias)); break;
            case "overlap": EditWeights(bytes => Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(bytes).Replace("[0,24]", "[4,28]", StringComparison.Ordinal))); break;
            case "duplicate item": EditItems(text => text.Replace("item-4", "item-3", StringComparison.Ordinal)); break;
            case "blank line": EditItems(text => text + "\n"); break;
            case "unknown item field": EditItems(text => "{\"x\":1," + text[1..]); break;
            case "category out of range": EditItems(text => text.Replace("\"category\":1", "\"category\":2", StringComparison.Ordinal)); break;
            case "unknown format": EditManifest(json => json["format_version"] = 2); break;
            case "unknown field": EditManifest(json => json["surprise"] = 1); break;
            case "repeated field": File.WriteAllText(manifest, "{\"name\":\"x\"," + File.ReadAllText(manifest).TrimStart()[1..]); break;
            case "path in files": EditManifest(json => Rename(json["files"]!.AsObject(), ModelArtifact.WeightsFile, "../weights.safetensors")); break;
            case "extra file": EditManifest(json => json["files"]!["/etc/passwd"] = json["files"]![ModelArtifact.ItemsFile]!.DeepClone()); break;
            case "bad task name": EditManifest(json => json["tasks"]![0]!["name"] = "a/../b"); break;
            case "two next_item tasks": EditManifest(json => json["tasks"]![0]!["kind"] = "next_item"); break;
            case "width past limit": EditManifest(json => json["encoder"]!["hidden_size"] = 2_000_000_000); break;
            case "catalogue past limit": EditManifest(json => json["catalog_size"] = int.MaxValue); break;
            case "null encoder": EditManifest(json => json["encoder"] = null); break;
            case "parameter count": EditManifest(json => json["parameter_count"] = 1); break;
            case "not json": File.WriteAllBytes(manifest, [0xff, (byte)'{']); break;
            case "manifest past limit": break;
            default: throw new ArgumentException(damage);
        }
    }

    private static void Rename(JsonObject json, string from, string to)
    {
        var value = json[from]!.DeepClone();
        json.Remove(from);
        json[to] = value;
    }

    private static byte[] With(byte[] bytes, Action<byte[]> edit)
    {
        edit(bytes);
        return bytes;
    }

    private static void Flip(string path)
    {
        var bytes = File.ReadAllBytes(path);
        bytes[^10] ^= 1;
        File.WriteAllBytes(path, bytes);
    }

    private void EditTensors(Action<Dictionary<string, WeightTensor>> edit)
    {
        var tensors = RandomModel.Tensors(RandomModel.Manifest(Shape), 1);
        edit(tensors);
        EditWeights(_ =>
        [
            .. SafetensorsHeader.Format(tensors.Select(tensor => (tensor.Key, tensor.Value.Shape))),
            .. tensors.Values.SelectMany(tensor => tensor.Data.SelectMany(BitConverter.GetBytes)),
        ]);
    }

    private void EditItems(Func<string, string> edit) => EditFile(ModelArtifact.ItemsFile, bytes => Encoding.UTF8.GetBytes(edit(Encoding.UTF8.GetString(bytes))));

    private void EditWeights(Func<byte[], byte[]> edit) => EditFile(ModelArtifact.WeightsFile, edit);

    /// <summary>Changes a file and vouches for the change in the manifest, so that what is behind the digest is reached.</summary>
    private void EditFile(string name, Func<byte[], byte[]> edit)
    {
        var path = Path.Combine(Target, name);
        var bytes = edit(File.ReadAllBytes(path));
        File.WriteAllBytes(path, bytes);
        EditManifest(json => json["files"]![name] = new JsonObject { ["bytes"] = bytes.Length, ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(bytes)) });
    }

    private void EditManifest(Action<JsonNode> edit)
    {
        var path = Path.Combine(Target, ModelArtifact.ManifestFile);
        var json = JsonNode.Parse(File.ReadAllText(path))!;
        edit(json);
        File.WriteAllText(path, json.ToJsonString());
    }
}
