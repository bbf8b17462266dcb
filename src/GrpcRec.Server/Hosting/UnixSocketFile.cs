using System.Net.Sockets;

namespace GrpcRec.Server.Hosting;

/// <summary>The file of a Unix socket that we are about to make.</summary>
public static class UnixSocketFile
{
    /// <summary>Removes the socket that a killed server left behind; leaves one that a living server listens on.</summary>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="ServerOptionsException">Somebody listens on it, or the file is not a socket.</exception>
    public static bool RemoveStale(string path)
    {
        if (!File.Exists(path))
            return false;
        if (new FileInfo(path).Length > 0)
            throw new ServerOptionsException($"listen: {path} exists and is not a socket; choose another path.");

        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
            return true;
        }
        catch (SocketException)
        {
            throw new ServerOptionsException($"listen: {path} exists and is not a socket that this user may use; choose another path.");
        }

        throw new ServerOptionsException($"listen: another server already listens on {path}.");
    }
}
