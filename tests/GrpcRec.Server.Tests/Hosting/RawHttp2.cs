using System.Buffers.Binary;
using System.Text;

namespace GrpcRec.Server.Tests.Hosting;

/// <summary>Just enough HTTP/2, written by hand, to send headers that no client library would.</summary>
public static class RawHttp2
{
    private const byte Data = 0, Headers = 1, RstStream = 3, Settings = 4, GoAway = 7;

    /// <summary>Sends one empty unary gRPC request as stream 1. True: answered with headers. False: reset.</summary>
    public static async Task<bool> IsAnsweredAsync(Stream stream, string path, string authority)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        List<byte> block = [];
        foreach (var (name, value) in ((string, string)[])[(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", authority), ("content-type", "application/grpc"), ("te", "trailers")])
        {
            // Literal without indexing, new name, no Huffman coding (RFC 7541, 6.2.2).
            block.Add(0);
            foreach (var text in (string[])[name, value])
            {
                block.Add((byte)text.Length);
                block.AddRange(Encoding.ASCII.GetBytes(text));
            }
        }

        await stream.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray(), limit.Token);
        await stream.WriteAsync(Frame(Settings, 0, 0, []), limit.Token);
        await stream.WriteAsync(Frame(Headers, 4, 1, [.. block]), limit.Token);
        await stream.WriteAsync(Frame(Data, 1, 1, [0, 0, 0, 0, 0]), limit.Token);
        var header = new byte[9];
        while (true)
        {
            if (await stream.ReadAtLeastAsync(header, 9, throwOnEndOfStream: false, limit.Token) < 9)
                return false;
            var payload = new byte[(header[0] << 16) | (header[1] << 8) | header[2]];
            await stream.ReadExactlyAsync(payload, limit.Token);
            switch (header[3])
            {
                case Headers:
                    return true;
                case RstStream or GoAway:
                    return false;
            }
        }
    }

    private static byte[] Frame(byte type, byte flags, int stream, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        (frame[0], frame[1], frame[2]) = ((byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length);
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, 9);
        return frame;
    }
}
