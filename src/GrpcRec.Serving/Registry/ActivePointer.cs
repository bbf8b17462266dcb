using System.Text.Json;
using System.Text.Json.Serialization;

namespace GrpcRec.Serving.Registry;

/// <summary>Which version of a model answers, and which did before: <c>active.json</c> in the model's directory.</summary>
/// <param name="Previous">Null: there is none to go back to.</param>
public sealed record ActivePointer(string Active, string? Previous)
{
    public const string FileName = "active.json";

    private const int MaxBytes = 4_096;

    /// <summary>Null when there is none.</summary>
    /// <exception cref="InvalidDataException">It is there and is not one.</exception>
    public static ActivePointer? Read(string modelDirectory)
    {
        var path = Path.Combine(modelDirectory, FileName);
        if (!File.Exists(path))
            return null;
        if (new FileInfo(path).Length > MaxBytes)
            throw new InvalidDataException($"{FileName} has more than {MaxBytes} bytes.");
        try
        {
            var pointer = JsonSerializer.Deserialize(File.ReadAllBytes(path), ActivePointerJson.Default.ActivePointer);
            if (pointer is null || !ModelNames.IsVersion(pointer.Active) || (pointer.Previous is not null && !ModelNames.IsVersion(pointer.Previous)))
                throw new InvalidDataException($"{FileName} does not name a version.");
            return pointer;
        }
        catch (JsonException)
        {
            throw new InvalidDataException($"{FileName} is not JSON of the form {{\"active\": VERSION, \"previous\": VERSION or null}}.");
        }
    }

    /// <summary>Replaces the pointer in one step: after a crash there is the old one or the new one.</summary>
    public void Write(string modelDirectory)
    {
        var path = Path.Combine(modelDirectory, FileName);
        var temporary = path + ".tmp";
        using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            JsonSerializer.Serialize(stream, this, ActivePointerJson.Default.ActivePointer);
            stream.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ActivePointer))]
internal sealed partial class ActivePointerJson : JsonSerializerContext;
