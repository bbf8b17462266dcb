using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using GrpcRec.Server.Hosting;
using GrpcRec.V1;
using static GrpcRec.Server.Tests.Recommendations.Reference;

namespace GrpcRec.Server.Tests.Hosting;

public sealed class TransportTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("grpcrec-net-").FullName;

    private string SocketPath => Path.Combine(_directory, "a.sock");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Serve_TlsTcpAndUnixAtOnce_AnswersOnEach(bool pkcs12)
    {
        using var certificate = SelfSigned();
        await using var server = await TestServer.StartWithModelAsync(options => WriteCertificate(certificate, pkcs12, options) with
        {
            Listen = ["http://127.0.0.1:0", "https://127.0.0.1:0", $"unix:{SocketPath}"],
        });
        Assert.Equal(["http", "https", "unix"], server.Server.Addresses.Select(address => address.Split(':')[0]));
        foreach (var address in server.Server.Addresses)
        {
            var handler = new SocketsHttpHandler();
            // Only the very certificate that the server was given passes.
            handler.SslOptions.RemoteCertificateValidationCallback = (_, found, _, _) => found?.GetCertHashString() == certificate.GetCertHashString();
            using var channel = TestServer.Open(address, address.StartsWith("https", StringComparison.Ordinal) ? handler : null);
            Assert.Equal("v1", (await ScoreAsync(channel)).Model.Version);
        }
    }

    [Fact]
    public async Task Serve_UnixSocket_HasItsModeAndGoesWithTheServer()
    {
        await using (await TestServer.StartAsync(options => options with { Listen = [$"unix:{SocketPath}"] }))
        {
            if (!OperatingSystem.IsWindows())
                Assert.Equal(Convert.ToInt32("660", 8), (int)File.GetUnixFileMode(SocketPath));
        }

        Assert.False(File.Exists(SocketPath));
    }

    [Fact]
    public async Task Serve_SocketOfADeadServer_IsTakenOver()
    {
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            // Closing a socket removes its file; under another name it stays, as after a kill.
            dead.Bind(new UnixDomainSocketEndPoint(SocketPath + ".born"));
            dead.Listen();
            File.Move(SocketPath + ".born", SocketPath);
        }

        Assert.True(File.Exists(SocketPath));
        await using var server = await TestServer.StartWithModelAsync(options => options with { Listen = [$"unix:{SocketPath}"] });
        Assert.Equal("v1", (await ScoreAsync(server.Channel)).Model.Version);
    }

    [Fact]
    public async Task Serve_SocketOfALivingServer_IsLeftAlone()
    {
        await using var first = await TestServer.StartWithModelAsync(options => options with { Listen = [$"unix:{SocketPath}"] });
        var exception = await Assert.ThrowsAsync<ServerOptionsException>(() => TestServer.StartAsync(options => options with { Listen = [$"unix:{SocketPath}"] }));
        Assert.Contains("already listens", exception.Message, StringComparison.Ordinal);
        Assert.Equal("v1", (await ScoreAsync(first.Channel)).Model.Version);
    }

    [Fact]
    public async Task Serve_FileInTheSocketsPlace_IsNotTouched()
    {
        await File.WriteAllTextAsync(SocketPath, "precious");
        await Assert.ThrowsAsync<ServerOptionsException>(() => TestServer.StartAsync(options => options with { Listen = [$"unix:{SocketPath}"] }));
        Assert.Equal("precious", await File.ReadAllTextAsync(SocketPath));
    }

    [Fact]
    public async Task Serve_PortTaken_IsAClearError()
    {
        await using var first = await TestServer.StartAsync();
        var exception = await Assert.ThrowsAsync<ServerOptionsException>(() => TestServer.StartAsync(options => options with { Listen = [first.Server.Addresses[0]] }));
        Assert.Contains("already in use", exception.Message, StringComparison.Ordinal);
    }

    /// <summary>
    /// gRPC clients on grpc-core 1.57 and later send a Unix socket's path as the authority, percent-encoded. Kestrel resets such a stream
    /// and has no option for it, so callers set the authority to "localhost" (<c>serve --help</c> says so). Should this test fail, Kestrel has learnt better.
    /// </summary>
    [Theory]
    [InlineData("%2Ftmp%2Fa.sock", false)]
    [InlineData("/tmp/a.sock", false)]
    [InlineData("localhost", true)]
    public async Task UnixSocket_AuthorityOfTheClient_LocalhostWorksAndAPathIsReset(string authority, bool works)
    {
        await using var server = await TestServer.StartWithModelAsync(options => options with { Listen = [$"unix:{SocketPath}"] });
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath));
        await using var stream = new NetworkStream(socket);
        Assert.Equal(works, await RawHttp2.IsAnsweredAsync(stream, "/grpc.health.v1.Health/Check", authority));
    }

    [Theory]
    [InlineData("ftp://127.0.0.1:1")]
    [InlineData("127.0.0.1:50051")]
    [InlineData("http://example.org:1")]
    [InlineData("http://127.0.0.1:1/path")]
    [InlineData("unix:")]
    [InlineData("")]
    public void ListenAddress_NotOne_SaysHowOneLooks(string text) => Assert.Throws<ServerOptionsException>(() => ListenAddress.Parse(text));

    [Fact]
    public void ListenAddress_EachForm_IsRead()
    {
        Assert.Equal(new ListenAddress.Tcp(IPAddress.Loopback, 50051, false), ListenAddress.Parse("http://localhost:50051"));
        Assert.Equal(new ListenAddress.Tcp(IPAddress.IPv6Loopback, 1, true), ListenAddress.Parse("https://[::1]:1"));
        Assert.Equal(new ListenAddress.Unix("/run/a.sock"), ListenAddress.Parse("unix:///run/a.sock"));
        Assert.Equal(new ListenAddress.Unix("/run/a.sock"), ListenAddress.Parse("unix:/run/a.sock"));
        Assert.Throws<ServerOptionsException>(() => ListenAddress.Parse("unix:/" + new string('x', 107)));
    }

    private static async Task<ScoreResponse> ScoreAsync(ChannelBase channel) => await new RecommendationService.RecommendationServiceClient(channel).ScoreAsync(
        new ScoreRequest { User = User(Event(1)), CandidateItemIds = { "item-3" } });

    private static X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }

    private ServerOptions WriteCertificate(X509Certificate2 certificate, bool pkcs12, ServerOptions options)
    {
        if (pkcs12)
        {
            var pfx = Path.Combine(_directory, "server.pfx");
            File.WriteAllBytes(pfx, certificate.Export(X509ContentType.Pkcs12, "word"));
            return options with { TlsCertificate = pfx, TlsPassword = "word" };
        }

        var (pem, key) = (Path.Combine(_directory, "server.pem"), Path.Combine(_directory, "server.key"));
        File.WriteAllText(pem, certificate.ExportCertificatePem());
        File.WriteAllText(key, certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        return options with { TlsCertificate = pem, TlsKey = key };
    }
}
