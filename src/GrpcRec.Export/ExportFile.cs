namespace GrpcRec.Export;

/// <summary>A file that is written whole or not at all: beside its place first, then renamed.</summary>
public static class ExportFile
{
    /// <param name="overwrite">Replace a file that is there.</param>
    /// <param name="write">Fills the file.</param>
    /// <returns>Its size in bytes.</returns>
    /// <exception cref="ExportException">The file exists or cannot be written.</exception>
    public static async Task<long> WriteAsync(string file, bool overwrite, Func<Stream, Task> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(file);
        ArgumentNullException.ThrowIfNull(write);
        var target = Path.GetFullPath(file);
        if (Path.GetDirectoryName(target) is not { } folder || Directory.Exists(target))
            throw new ExportException($"{file} is a directory: name a file in it");
        if (!Directory.Exists(folder))
            throw new ExportException($"{file} cannot be written: its directory does not exist");
        if (!overwrite && File.Exists(target))
            throw Exists(file);
        var temporary = Path.Combine(folder, $".{Path.GetFileName(target)}.{Path.GetRandomFileName()}.tmp");
        try
        {
            long bytes;
            await using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16))
            {
                await write(stream);
                stream.Flush(flushToDisk: true);
                bytes = stream.Length;
            }

            File.Move(temporary, target, overwrite);
            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw !overwrite && File.Exists(target)
                ? Exists(file)
                : new ExportException($"{file} cannot be written: check that its directory is writable and its disk has room", e);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static ExportException Exists(string file) => new($"{file} exists already: choose another name, or replace it with --force");
}
