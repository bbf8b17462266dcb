using System.Threading.Channels;
using Google.Protobuf;

namespace GrpcRec.Server.Exports;

/// <summary>
/// Cuts what is written into chunks of one size and hands them on, waiting while the reader is behind: a file of gigabytes is never in
/// memory as a whole. Written by a thread that may wait.
/// </summary>
internal sealed class ChunkStream(ChannelWriter<ByteString> chunks, int chunkBytes, CancellationToken cancellation) : Stream
{
    private byte[]? _chunk;
    private int _filled;
    private long _length;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => _length;
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            _chunk ??= new byte[chunkBytes];
            var part = buffer[..Math.Min(buffer.Length, chunkBytes - _filled)];
            part.CopyTo(_chunk.AsSpan(_filled));
            _filled += part.Length;
            _length += part.Length;
            buffer = buffer[part.Length..];
            if (_filled == chunkBytes)
                Send();
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <summary>Sends what is left, after the last write.</summary>
    public void Finish()
    {
        if (_filled > 0)
            Send();
    }

    public override void Flush()
    {
        // A chunk goes out when it is full: a short one in between would cost a message for nothing.
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private void Send()
    {
        // The array is given away, not copied: the next chunk takes a new one.
        var chunk = UnsafeByteOperations.UnsafeWrap(_chunk.AsMemory(0, _filled));
        (_chunk, _filled) = (null, 0);
        if (!chunks.TryWrite(chunk))
            chunks.WriteAsync(chunk, cancellation).AsTask().GetAwaiter().GetResult();
    }
}
