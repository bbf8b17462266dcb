using System.Threading.Channels;
using Google.Protobuf;
using Grpc.Core;
using GrpcRec.Engine.Models;
using GrpcRec.Export;
using GrpcRec.Server.Mapping;
using GrpcRec.Serving.Admission;
using GrpcRec.V1;

namespace GrpcRec.Server.Exports;

/// <summary>Sends a model's file chunk by chunk while it is being written. A slow reader holds a thread and some chunks, no more.</summary>
public sealed class ModelExporter : IDisposable
{
    /// <summary>Each has a thread of its own and keeps its version alive.</summary>
    public const int MaxExports = 2;

    /// <summary>Of one message.</summary>
    public const int MaxChunkBytes = 256 << 10;

    // Written ahead of a slow reader.
    private const int ChunksAhead = 4;

    /// <summary>A reader that takes longer is given up; the largest artefact, 16 GiB, takes 10 MB a second to be read in it.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(30);

    private readonly TimeProvider _time;
    private readonly int _chunkBytes;
    private readonly SemaphoreSlim _places = new(MaxExports);

    public ModelExporter(ServerOptions options, TimeProvider time)
    {
        _time = time;
        // A message has a few bytes beside its chunk.
        _chunkBytes = Math.Min(MaxChunkBytes, options.MaxMessageBytes / 2);
    }

    /// <exception cref="RpcException">Too many exports run already, the format cannot hold the model, or the reader was too slow.</exception>
    public async Task SendAsync(ModelArtifact model, ExportFormat format, IAsyncStreamWriter<ExportModelResponse> destination, CancellationToken cancellation)
    {
        if (!await _places.WaitAsync(TimeSpan.Zero, cancellation))
            throw StatusMapping.ToException(ExportRejections.TooMany);
        using var limit = new CancellationTokenSource(Longest, _time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation, limit.Token);
        var chunks = Channel.CreateBounded<ByteString>(new BoundedChannelOptions(ChunksAhead) { SingleReader = true, SingleWriter = true });
        // The serialiser writes synchronously and waits for the reader: on a thread of its own, not one that requests need.
        var writing = Task.Factory.StartNew(
            () => Write(model, format, chunks.Writer, stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            await foreach (var chunk in chunks.Reader.ReadAllAsync(stop.Token))
                await destination.WriteAsync(new ExportModelResponse { Chunk = chunk }, stop.Token);
        }
        catch (ExportException failure)
        {
            throw StatusMapping.ToException(ExportRejections.NotExportable(failure));
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw StatusMapping.ToException(Rejection.DeadlinePassed);
        }
        finally
        {
            await stop.CancelAsync();
            await writing;
            _places.Release();
        }
    }

    public void Dispose() => _places.Dispose();

    /// <summary>Ends the channel in every case; a failure is thrown where it is read.</summary>
    private void Write(ModelArtifact model, ExportFormat format, ChannelWriter<ByteString> chunks, CancellationToken cancellation)
    {
        Exception? failure = null;
        try
        {
            using var stream = new ChunkStream(chunks, _chunkBytes, cancellation);
            ModelExport.Write(model, format, stream);
            stream.Finish();
        }
#pragma warning disable CA1031 // The reading side throws it on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            failure = e;
        }

        chunks.Complete(failure);
    }
}
