using System.Text.Json;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Tests.Models;
using GrpcRec.Export.Safetensors;

namespace GrpcRec.Export.Tests;

public class SafetensorsModelTests
{
    [Fact]
    public void Write_AnyModel_ReadsBackTensorsAndManifest()
    {
        var model = RandomModel.Create(new ModelShape(16, Layers: 2, BehaviorEmbedding: 3, Trunk: TrunkKind.Ple, Experts: 2) { Events = true, Requests = true });
        using var stream = new MemoryStream();
        SafetensorsModel.Write(model, stream);
        var file = stream.ToArray();

        var length = SafetensorsHeader.ReadLength(file, file.Length - SafetensorsHeader.PrefixBytes, 1 << 20);
        var header = file.AsMemory(SafetensorsHeader.PrefixBytes, length);
        var data = file.AsMemory(SafetensorsHeader.PrefixBytes + length);
        var entries = SafetensorsHeader.Parse(header, data.Length);

        Assert.Equal(model.TensorNames.Order(StringComparer.Ordinal), entries.Select(entry => entry.Name));
        foreach (var entry in entries)
        {
            Assert.Equal(model.Shape(entry.Name).ToArray(), entry.Shape);
            var bytes = data.Slice((int)entry.Offset, (int)entry.Bytes).Span;
            Assert.True(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes).SequenceEqual(model.Weights(entry.Name)), entry.Name);
        }

        using var json = JsonDocument.Parse(header);
        var metadata = json.RootElement.GetProperty("__metadata__");
        Assert.Equal("random", metadata.GetProperty("grpcrec.name").GetString());
        using var manifest = JsonDocument.Parse(metadata.GetProperty(SafetensorsModel.ManifestKey).GetString()!);
        Assert.Equal("lstm", manifest.RootElement.GetProperty("encoder").GetProperty("kind").GetString());
        Assert.Equal("home", manifest.RootElement.GetProperty("request_features")[0].GetProperty("values")[0].GetString());
        Assert.Equal(5, manifest.RootElement.GetProperty("tasks").GetArrayLength());
    }
}
