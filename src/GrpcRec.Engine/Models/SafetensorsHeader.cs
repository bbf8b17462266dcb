using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace GrpcRec.Engine.Models;

/// <param name="Name">At most <see cref="SafetensorsHeader.MaxNameLength"/> characters.</param>
/// <param name="Offset">First byte, from the end of the header.</param>
/// <param name="Bytes">4 × the product of <paramref name="Shape"/>.</param>
public sealed record SafetensorsEntry(string Name, int[] Shape, long Offset, long Bytes)
{
    /// <summary>Of type I32; else F32.</summary>
    public bool IsInteger { get; init; }
}

/// <summary>
/// The head of a safetensors file (format: huggingface/safetensors): 8 bytes little-endian length, then JSON
/// <c>{"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, …}</c>, then the data without gap or overlap.
/// Float32 and int32 alone are read and written.
/// </summary>
public static class SafetensorsHeader
{
    public const int PrefixBytes = 8;
    public const int MaxNameLength = 256;
    public const int MaxRank = 8;
    private const string MetadataKey = "__metadata__", Float32Type = "F32", Int32Type = "I32";

    // Axis sizes and offsets of an honest file are far below; the product of a shape is checked against the file's size as well.
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 4, AllowDuplicateProperties = false };

    /// <summary>Length of the JSON that follows the 8-byte prefix.</summary>
    /// <param name="prefix">[8] bytes.</param>
    /// <param name="remaining">Bytes of the file after the prefix.</param>
    /// <exception cref="ArtifactException">The length is past <paramref name="maxHeaderBytes"/> or the file.</exception>
    public static int ReadLength(ReadOnlySpan<byte> prefix, long remaining, int maxHeaderBytes)
    {
        if (prefix.Length < PrefixBytes)
            throw new ArtifactException("the file is shorter than the 8 bytes that give the length of its header");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > (ulong)maxHeaderBytes)
            throw new ArtifactException($"the header claims {length} bytes; at most {maxHeaderBytes} are read");
        if ((long)length > remaining)
            throw new ArtifactException($"the header claims {length} bytes and the file holds {Math.Max(remaining, 0)} after its prefix");
        return (int)length;
    }

    /// <summary>The tensors in the order of their data.</summary>
    /// <param name="json">The header without its prefix; trailing spaces are allowed.</param>
    /// <param name="dataBytes">Bytes of the file after the header: the tensors must fill them exactly.</param>
    /// <exception cref="ArtifactException">Anything that is not a float32 file without gaps.</exception>
    public static IReadOnlyList<SafetensorsEntry> Parse(ReadOnlyMemory<byte> json, long dataBytes)
    {
        try
        {
            using var document = JsonDocument.Parse(json, Strict);
            return Parse(document.RootElement, dataBytes);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or DecoderFallbackException)
        {
            // InvalidOperationException: a string that is no valid text. The parser's own message quotes the input, so it stays inside.
            throw new ArtifactException("the header is not the JSON object that a safetensors file begins with", e);
        }
    }

    /// <summary>Prefix and JSON for tensors written in this order, padded with spaces so that the data begins at a multiple of 8.</summary>
    /// <param name="metadata">Texts by name, for a person or another program: readers of weights pass them over. Null: none.</param>
    /// <param name="integers">Names of the tensors of type I32. Null: none.</param>
    public static byte[] Format(
        IEnumerable<(string Name, int[] Shape)> tensors, IReadOnlyDictionary<string, string>? metadata = null, IReadOnlySet<string>? integers = null)
    {
        using var stream = new MemoryStream();
        stream.Write(stackalloc byte[PrefixBytes]);
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            if (metadata is not null)
            {
                writer.WriteStartObject(MetadataKey);
                foreach (var (key, value) in metadata)
                    writer.WriteString(key, value);
                writer.WriteEndObject();
            }

            long offset = 0;
            foreach (var (name, shape) in tensors)
            {
                var bytes = checked(4 * shape.Aggregate(1L, (product, size) => checked(product * size)));
                writer.WriteStartObject(name);
                writer.WriteString("dtype", integers?.Contains(name) == true ? Int32Type : Float32Type);
                writer.WriteStartArray("shape");
                foreach (var size in shape)
                    writer.WriteNumberValue(size);
                writer.WriteEndArray();
                writer.WriteStartArray("data_offsets");
                writer.WriteNumberValue(offset);
                writer.WriteNumberValue(offset += bytes);
                writer.WriteEndArray();
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        while (stream.Length % 8 != 0)
            stream.WriteByte((byte)' ');
        var header = stream.ToArray();
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)(header.Length - PrefixBytes));
        return header;
    }

    private static List<SafetensorsEntry> Parse(JsonElement root, long dataBytes)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw new ArtifactException("the header is not a JSON object");
        var entries = new List<SafetensorsEntry>();
        foreach (var property in root.EnumerateObject())
        {
            var name = property.Name;
            if (name == MetadataKey)
                continue;
            if (name.Length is 0 or > MaxNameLength)
                throw new ArtifactException($"a tensor's name has {name.Length} characters; 1 to {MaxNameLength} are allowed");
            entries.Add(ParseEntry(name, property.Value));
        }

        // Empty tensors are refused in ParseEntry, so sorting by the first byte leaves one order only.
        entries.Sort((a, b) => a.Offset.CompareTo(b.Offset));
        long expected = 0;
        foreach (var entry in entries)
        {
            if (entry.Offset != expected)
                throw new ArtifactException($"tensor '{entry.Name}' begins at byte {entry.Offset} where {expected} was due: data must neither overlap nor leave gaps");
            expected += entry.Bytes;
            if (expected > dataBytes)
                throw new ArtifactException($"tensor '{entry.Name}' ends at byte {expected} of {dataBytes}");
        }

        if (expected != dataBytes)
            throw new ArtifactException($"the tensors fill {expected} bytes of {dataBytes}");
        return entries;
    }

    private static SafetensorsEntry ParseEntry(string name, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw new ArtifactException($"tensor '{name}' is not described by a JSON object");
        if (!value.TryGetProperty("dtype", out var dtype) || dtype.ValueKind != JsonValueKind.String || dtype.GetString() is not (Float32Type or Int32Type))
            throw new ArtifactException($"tensor '{name}' is not of type F32 or I32, the only ones that are read");
        if (!value.TryGetProperty("shape", out var shapeValue) || shapeValue.ValueKind != JsonValueKind.Array || shapeValue.GetArrayLength() > MaxRank)
            throw new ArtifactException($"tensor '{name}' has no shape of at most {MaxRank} axes");
        if (!value.TryGetProperty("data_offsets", out var offsets) || offsets.ValueKind != JsonValueKind.Array || offsets.GetArrayLength() != 2)
            throw new ArtifactException($"tensor '{name}' has no pair of data offsets");
        if (value.EnumerateObject().Count() != 3)
            throw new ArtifactException($"tensor '{name}' has fields other than dtype, shape and data_offsets");

        var shape = new int[shapeValue.GetArrayLength()];
        long elements = 1;
        for (var axis = 0; axis < shape.Length; axis++)
        {
            if (shapeValue[axis].ValueKind != JsonValueKind.Number || !shapeValue[axis].TryGetInt32(out shape[axis]) || shape[axis] < 1)
                throw new ArtifactException($"tensor '{name}': axis {axis} of the shape is not a whole number of at least 1");
            elements *= shape[axis];
            if (elements > Array.MaxLength)
                throw new ArtifactException($"tensor '{name}' has more than {Array.MaxLength} elements");
        }

        if (offsets[0].ValueKind != JsonValueKind.Number || offsets[1].ValueKind != JsonValueKind.Number
            || !offsets[0].TryGetInt64(out var begin) || !offsets[1].TryGetInt64(out var end) || begin < 0 || end < begin)
            throw new ArtifactException($"tensor '{name}': its data offsets are not two ascending whole numbers");
        if (end - begin != 4 * elements)
            throw new ArtifactException($"tensor '{name}' {WeightTensor.Describe(shape)} needs {4 * elements} bytes and its offsets hold {end - begin}");
        return new SafetensorsEntry(name, shape, begin, end - begin) { IsInteger = dtype.ValueEquals(Int32Type) };
    }
}
