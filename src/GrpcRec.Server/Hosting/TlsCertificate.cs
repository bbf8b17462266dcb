using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace GrpcRec.Server.Hosting;

/// <summary>The server's certificate and key, from PEM files or one PKCS#12 file.</summary>
public static class TlsCertificate
{
    /// <exception cref="ServerOptionsException">Absent or unreadable; the message names the option at fault.</exception>
    public static X509Certificate2 Load(ServerOptions options)
    {
        var path = options.TlsCertificate
            ?? throw new ServerOptionsException("tls-cert: an https address needs a certificate. Give --tls-cert and --tls-key (PEM), or --tls-cert with a .pfx file.");
        try
        {
            if (Path.GetExtension(path) is ".pfx" or ".p12")
                return X509CertificateLoader.LoadPkcs12FromFile(path, options.TlsPassword);
            var key = options.TlsKey
                ?? throw new ServerOptionsException("tls-key: a PEM certificate needs its private key. Give --tls-key.");
            return X509Certificate2.CreateFromPemFile(path, key);
        }
        catch (Exception exception) when (exception is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new ServerOptionsException($"tls-cert: the certificate or its key cannot be read: {exception.Message}");
        }
    }
}
