using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using GrpcRec.Engine.Models;
using GrpcRec.Server;
using GrpcRec.Server.Hosting;
using GrpcRec.Server.Jobs;
using GrpcRec.Serving.Tests;
using Microsoft.Extensions.DependencyInjection;

namespace GrpcRec.Interop.Tests;

/// <summary>A real server with a small model, on TCP, TLS and a Unix socket, that remembers one failed training.</summary>
public sealed class ServingFixture : IAsyncLifetime
{
    public const string OldTraining = "20260101-000000-00000";

    readonly string _folder = Directory.CreateTempSubdirectory("grpcrec-interop-").FullName;
    RunningServer? _server;

    public string Authority => Path.Combine(_folder, "ca.pem");

    /// <summary>The Python stubs, generated as the sample's README says.</summary>
    public string Stubs => Path.Combine(_folder, "stubs");

    /// <summary>The address as the sample clients and buf take it.</summary>
    public string Target(string transport) => transport switch
    {
        "tcp" => _server!.Addresses[0]["http://".Length..],
        "tls" => $"https://localhost:{new Uri(_server!.Addresses[1]).Port}",
        _ => _server!.Addresses[2],
    };

    public string Http => _server!.Addresses[0];

    public async Task InitializeAsync()
    {
        // Random weights, and a feature of events and one of requests, so that clients have something to say in a context.
        var manifest = ArtifactFixture.Manifest("shop", "v1") with
        {
            EventFeatures = [new() { Name = "tab", Source = FeatureSource.Context, EmbeddingSize = 3, Values = ["home", "search"] }],
            RequestFeatures = [new() { Name = "age", EmbeddingSize = 2, Values = ["young", "old"] }],
        };
        Directory.CreateDirectory(Path.Combine(_folder, "models", "shop"));
        ModelArtifact.Write(Path.Combine(_folder, "models", "shop", "v1"), manifest, ArtifactFixture.Items(), ArtifactFixture.Weights(manifest, seed: 1));
        var state = Path.Combine(_folder, "state");
        using (var store = new JobStore(state))
            store.Write(new(new() { ModelName = "shop" }, new() { TrainingId = OldTraining, ModelName = "shop", State = V1.TrainingState.Running }, null));
        var key = Path.Combine(_folder, "key.pem");
        WriteCertificate(Authority, key);
        _server = await ServerHost.StartAsync(new ServerOptions
        {
            Listen = ["http://127.0.0.1:0", "https://127.0.0.1:0", $"unix:{Path.Combine(_folder, "s.sock")}"],
            TlsCertificate = Authority,
            TlsKey = key,
            ModelsDirectory = Path.Combine(_folder, "models"),
            StateDirectory = state,
            DataRoot = _folder,
            LogLevel = Microsoft.Extensions.Logging.LogLevel.None,
        });
        // Starting does not activate what lies in the directory: an operator does.
        _server.Services.GetRequiredService<Serving.Registry.ModelRegistry>().Activate("shop", "v1");
    }

    static void WriteCertificate(string certificatePath, string keyPath)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=grpcrec interop test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        // Its own authority: clients trust this very certificate.
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        File.WriteAllText(certificatePath, certificate.ExportCertificatePem());
        File.WriteAllText(keyPath, key.ExportPkcs8PrivateKeyPem());
    }

    public async Task DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
