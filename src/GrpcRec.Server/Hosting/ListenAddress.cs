using System.Net;

namespace GrpcRec.Server.Hosting;

/// <summary>Where a server listens, read from <c>http://host:port</c>, <c>https://host:port</c> or <c>unix:/path.sock</c>.</summary>
public abstract record ListenAddress
{
    /// <summary>Longest path that a Unix socket address holds on Linux, bytes.</summary>
    public const int MaxSocketPathBytes = 107;

    /// <param name="Port">0: any free one.</param>
    public sealed record Tcp(IPAddress Address, int Port, bool Tls) : ListenAddress;

    public sealed record Unix(string Path) : ListenAddress;

    /// <exception cref="ServerOptionsException">Not an address; the message says how one looks.</exception>
    public static ListenAddress Parse(string text)
    {
        const string unix = "unix:";
        if (text.StartsWith(unix, StringComparison.Ordinal))
            return ParseUnix(text[unix.Length..]);

        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.PathAndQuery is not "/" || uri.UserInfo.Length > 0)
            throw new ServerOptionsException(
                $"listen: \"{text}\" is not an address. Give http://HOST:PORT, https://HOST:PORT or unix:/PATH.sock, for example {ServerOptions.DefaultListen}.");
        var host = uri.Host.Trim('[', ']');
        var address = host switch
        {
            "localhost" => IPAddress.Loopback,
            "*" or "+" => IPAddress.IPv6Any,
            _ => IPAddress.TryParse(host, out var parsed)
                ? parsed
                : throw new ServerOptionsException($"listen: \"{host}\" is not an IP address. Give one of this machine's, or 0.0.0.0 for all."),
        };
        return new Tcp(address, uri.Port, uri.Scheme == "https");
    }

    private static Unix ParseUnix(string path)
    {
        // unix:///run/x.sock is the same as unix:/run/x.sock, as in gRPC's name syntax.
        if (path.StartsWith("//", StringComparison.Ordinal))
            path = path[2..];
        if (path.Length == 0)
            throw new ServerOptionsException("listen: a unix address needs a path, for example unix:/run/grpcrec.sock.");
        var full = System.IO.Path.GetFullPath(path);
        if (System.Text.Encoding.UTF8.GetByteCount(full) > MaxSocketPathBytes)
            throw new ServerOptionsException($"listen: the path of a Unix socket may have at most {MaxSocketPathBytes} bytes; choose a shorter one.");
        return new Unix(full);
    }
}
