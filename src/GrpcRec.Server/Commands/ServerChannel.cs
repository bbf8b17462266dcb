using System.CommandLine;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;

namespace GrpcRec.Server.Commands;

/// <summary>A client's channel to a server's address: http://host:port, https://host:port or unix:/path.</summary>
static class ServerChannel
{
    public static Option<string?> AddressOption() => new("--address")
    {
        Description = "A running server: http://host:port, https://host:port or unix:/path.sock. From the environment: GRPCREC_ADDRESS.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("GRPCREC_ADDRESS"),
    };

    public static Option<FileInfo?> AuthorityOption() => new("--ca") { Description = "PEM file of the certificate authority to trust for an https address. Default: the system's." };

    /// <exception cref="ServerOptionsException">It is no address.</exception>
    public static GrpcChannel Open(string address, FileInfo? authority = null)
    {
        // A server that never answers must not hang a command; progress streams are kept alive by the pings.
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(10),
            KeepAlivePingDelay = TimeSpan.FromSeconds(30),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(15),
        };
        var options = new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true };
        if (address.StartsWith("unix:", StringComparison.Ordinal))
        {
            var path = address["unix:".Length..];
            handler.ConnectCallback = (_, cancellation) => ConnectAsync(path, cancellation);
            return GrpcChannel.ForAddress("http://localhost", options);
        }

        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
            throw new ServerOptionsException($"--address: \"{address}\" is neither http://host:port, https://host:port nor unix:/path.");
        if (authority is not null) Trust(handler, authority);
        return GrpcChannel.ForAddress(uri, options);
    }

    /// <summary>What a gRPC error says to the person at a terminal.</summary>
    public static string Explain(RpcException exception)
    {
        var details = exception.GetRpcStatus()?.GetDetail<Google.Rpc.BadRequest>();
        return details is null
            ? $"{exception.StatusCode}: {exception.Status.Detail}"
            : string.Join(Environment.NewLine, details.FieldViolations.Select(violation => $"{violation.Field}: {violation.Description}"));
    }

    static async ValueTask<Stream> ConnectAsync(string path, CancellationToken cancellation)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    static void Trust(SocketsHttpHandler handler, FileInfo authority)
    {
        var roots = new X509Certificate2Collection();
        roots.ImportFromPemFile(authority.FullName);
        handler.SslOptions = new SslClientAuthenticationOptions
        {
            CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            },
        };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
    }
}
