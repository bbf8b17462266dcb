namespace GrpcRec.Export.Tests;

public sealed class ExportFileTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("grpcrec-export-").FullName;

    private string Target => Path.Combine(_directory, "model.onnx");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task WriteAsync_NewFile_IsWritten()
    {
        Assert.Equal(3, await WriteAsync([1, 2, 3], overwrite: false));
        Assert.Equal([1, 2, 3], await File.ReadAllBytesAsync(Target));
    }

    [Fact]
    public async Task WriteAsync_FileExists_IsRefusedUnlessForced()
    {
        await File.WriteAllBytesAsync(Target, [9]);
        var refusal = await Assert.ThrowsAsync<ExportException>(() => WriteAsync([1], overwrite: false));
        Assert.Contains("--force", refusal.Message, StringComparison.Ordinal);
        Assert.Equal([9], await File.ReadAllBytesAsync(Target));
        await WriteAsync([1], overwrite: true);
        Assert.Equal([1], await File.ReadAllBytesAsync(Target));
    }

    [Fact]
    public async Task WriteAsync_WriterFails_LeavesWhatWasThereAndNothingElse()
    {
        await File.WriteAllBytesAsync(Target, [9]);
        await Assert.ThrowsAsync<ExportException>(() => ExportFile.WriteAsync(Target, true, async stream =>
        {
            await stream.WriteAsync(new byte[] { 1, 2 });
            throw new IOException("the disk is full");
        }));
        Assert.Equal([9], await File.ReadAllBytesAsync(Target));
        Assert.Equal([Target], Directory.GetFiles(_directory));
    }

    [Fact]
    public async Task WriteAsync_NoPlaceForIt_SaysWhatIsWrong()
    {
        var missing = await Assert.ThrowsAsync<ExportException>(() => ExportFile.WriteAsync(Path.Combine(_directory, "none", "a.onnx"), false, _ => Task.CompletedTask));
        Assert.Contains("does not exist", missing.Message, StringComparison.Ordinal);
        var directory = await Assert.ThrowsAsync<ExportException>(() => ExportFile.WriteAsync(_directory, true, _ => Task.CompletedTask));
        Assert.Contains("is a directory", directory.Message, StringComparison.Ordinal);
    }

    private Task<long> WriteAsync(byte[] bytes, bool overwrite) => ExportFile.WriteAsync(Target, overwrite, stream => stream.WriteAsync(bytes).AsTask());
}
