using GrpcRec.Engine.Models;
using GrpcRec.Export.Onnx;
using GrpcRec.Export.Safetensors;

namespace GrpcRec.Export;

/// <summary>Writes a model for other runtimes.</summary>
public static class ModelExport
{
    /// <summary>Names that callers give a format by.</summary>
    public static IReadOnlyDictionary<string, ExportFormat> Formats { get; } = new Dictionary<string, ExportFormat>(StringComparer.Ordinal)
    {
        ["safetensors"] = ExportFormat.Safetensors,
        ["onnx"] = ExportFormat.Onnx,
    };

    /// <exception cref="ExportException">The format cannot hold the model.</exception>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    public static void Write(ModelArtifact model, ExportFormat format, Stream destination)
    {
        if (format == ExportFormat.Onnx)
            OnnxModel.Write(model, destination);
        else
            SafetensorsModel.Write(model, destination);
    }

    /// <summary>Writes a file whole or not at all: beside its place first, then renamed.</summary>
    /// <param name="overwrite">Replace a file that is there.</param>
    /// <returns>Its size in bytes.</returns>
    /// <exception cref="ExportException">The file exists, cannot be written, or the format cannot hold the model.</exception>
    public static long WriteFile(ModelArtifact model, ExportFormat format, string file, bool overwrite)
    {
        ArgumentException.ThrowIfNullOrEmpty(file);
        var target = Path.GetFullPath(file);
        var folder = Path.GetDirectoryName(target);
        if (folder is null || Directory.Exists(target))
            throw new ExportException($"{file} is a directory: name a file in it");
        if (!Directory.Exists(folder))
            throw new ExportException($"{file} cannot be written: its directory does not exist");
        if (!overwrite && File.Exists(target))
            throw Exists(file);
        var temporary = Path.Combine(folder, $".{Path.GetFileName(target)}.{Path.GetRandomFileName()}.tmp");
        try
        {
            long bytes;
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16))
            {
                Write(model, format, stream);
                stream.Flush(flushToDisk: true);
                bytes = stream.Length;
            }

            File.Move(temporary, target, overwrite);
            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw !overwrite && File.Exists(target) ? Exists(file) : new ExportException($"{file} cannot be written: check that its directory is writable and its disk has room", e);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static ExportException Exists(string file) => new($"{file} exists already: choose another name, or replace it with --force");
}
