using Grpc.Core;
using GrpcRec.Engine.Models;
using GrpcRec.Export;
using GrpcRec.Server.Exports;
using GrpcRec.Server.Tests.Hosting;
using GrpcRec.V1;

namespace GrpcRec.Server.Tests.Models;

public sealed class ExportModelTests : IAsyncLifetime
{
    private const int MaxMessageBytes = 4096;

    private TestServer _server = null!;

    // Messages so small that a file of the test's model takes several.
    public async Task InitializeAsync() => _server = await TestServer.StartWithModelAsync(options => options with { MaxMessageBytes = MaxMessageBytes }, null, "v1", "v2");

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData("onnx", ExportFormat.Onnx)]
    [InlineData("safetensors", ExportFormat.Safetensors)]
    public async Task ExportModel_ActiveVersion_GivesTheFileInChunks(string format, ExportFormat expected)
    {
        var chunks = await ReceiveAsync(new ExportModelRequest { Format = format });

        using var file = new MemoryStream();
        ModelExport.Write(ModelArtifact.Load(Path.Combine(_server.Directory, "models", "shop", "v1")), expected, file);
        Assert.Equal(file.ToArray(), chunks.SelectMany(chunk => chunk));
        Assert.True(chunks.Count > 1);
        Assert.All(chunks, chunk => Assert.InRange(chunk.Length, 1, MaxMessageBytes));
    }

    [Fact]
    public async Task ExportModel_FormatMissingOrUnknown_BlamesIt()
    {
        (await WireError.OfAsync(() => ReceiveAsync(new ExportModelRequest()))).Blames("format", "REQUIRED");
        (await WireError.OfAsync(() => ReceiveAsync(new ExportModelRequest { Format = "pickle" }))).Blames("format", "UNKNOWN_NAME");
    }

    [Theory]
    [InlineData("v2", StatusCode.FailedPrecondition, "VERSION_NOT_LOADED")]
    [InlineData("v9", StatusCode.NotFound, "VERSION_NOT_FOUND")]
    public async Task ExportModel_VersionNotInMemory_SaysSo(string version, StatusCode code, string reason)
    {
        var error = await WireError.OfAsync(() => ReceiveAsync(new ExportModelRequest { Format = "onnx", Model = new ModelSelector { Name = "shop", Version = version } }));
        Assert.Equal(code, error.Code);
        Assert.Equal(reason, error.Reason);
    }

    [Fact]
    public async Task ExportModel_MoreThanAllowedAtOnce_RefusesThenServesAgain()
    {
        var exporter = new ModelExporter(new ServerOptions(), TimeProvider.System);
        var model = ModelArtifact.Load(Path.Combine(_server.Directory, "models", "shop", "v1"));
        var readers = Enumerable.Range(0, ModelExporter.MaxExports).Select(_ => new StuckReader()).ToArray();
        using var stop = new CancellationTokenSource();
        var running = readers.Select(reader => exporter.SendAsync(model, ExportFormat.Onnx, reader, stop.Token)).ToArray();
        foreach (var reader in readers)
            await reader.Reached;

        var refusal = await Assert.ThrowsAsync<RpcException>(() => exporter.SendAsync(model, ExportFormat.Onnx, new StuckReader(), default));
        Assert.Equal(StatusCode.ResourceExhausted, refusal.StatusCode);

        await stop.CancelAsync();
        foreach (var export in running)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => export);
        var last = new StuckReader();
        using var end = new CancellationTokenSource();
        var again = exporter.SendAsync(model, ExportFormat.Onnx, last, end.Token);
        await last.Reached;
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => again);
        exporter.Dispose();
    }

    private async Task<List<byte[]>> ReceiveAsync(ExportModelRequest request)
    {
        using var call = new ModelService.ModelServiceClient(_server.Channel).ExportModel(request);
        var chunks = new List<byte[]>();
        await foreach (var part in call.ResponseStream.ReadAllAsync())
            chunks.Add(part.Chunk.ToByteArray());
        return chunks;
    }

    /// <summary>Takes no message until it is cancelled.</summary>
    private sealed class StuckReader : IAsyncStreamWriter<ExportModelResponse>
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public WriteOptions? WriteOptions { get; set; }

        public Task Reached => _reached.Task;

        public Task WriteAsync(ExportModelResponse message) => WriteAsync(message, default);

        public Task WriteAsync(ExportModelResponse message, CancellationToken cancellationToken)
        {
            _reached.TrySetResult();
            return Task.Delay(Timeout.Infinite, cancellationToken);
        }
    }
}
