using System.Text;

namespace GrpcRec.Server.Jobs;

/// <summary>
/// Confines a request's path to the data root: relative, without '..', and, when every symbolic link on the way is followed, still a
/// regular file under the root's real path.
/// </summary>
public static class DataPath
{
    const int MaxBytes = 1_024;

    /// <summary>Links followed before the path counts as a loop; the kernel's own limit.</summary>
    const int MaxLinks = 40;

    /// <returns>null when <paramref name="path"/> may be read; otherwise what is wrong with it, without saying where the root is.</returns>
    public static string? Refuse(string root, string path)
    {
        if (path.Length == 0) return "is required: a file's path relative to the server's data directory.";
        if (Encoding.UTF8.GetByteCount(path) > MaxBytes) return $"has more than {MaxBytes:N0} bytes.";
        if (path.Any(char.IsControl)) return "must not hold control characters.";
        if (path.StartsWith('/') || path.StartsWith('\\') || path.Contains(':')) return "must be relative to the server's data directory.";
        var parts = path.Split('/', '\\');
        if (parts.Any(part => part == "..")) return "must not hold '..': it cannot leave the server's data directory.";

        try
        {
            var realRoot = RealPath(Path.GetFullPath(root));
            var realPath = realRoot is null ? null : RealPath(Path.Combine(realRoot, path));
            if (realRoot is null || realPath is null) return "names no file under the server's data directory.";
            // Told apart from "no such file" only where the link itself is under the root, which the caller may see anyway.
            if (!realPath.StartsWith(realRoot.TrimEnd('/') + '/', StringComparison.Ordinal)) return "leads out of the server's data directory through a link.";
            return File.Exists(realPath) ? null : "names no file under the server's data directory.";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "cannot be read by the server.";
        }
    }

    /// <summary>The path with every symbolic link followed; null when a part is missing or the links form a loop.</summary>
    static string? RealPath(string fullPath)
    {
        var pending = new Stack<string>(Parts(fullPath).Reverse());
        var real = "/";
        var links = 0;
        while (pending.TryPop(out var part))
        {
            if (part == ".") continue;
            if (part == "..")
            {
                real = Path.GetDirectoryName(real) ?? "/";
                continue;
            }

            var next = Path.Combine(real, part);
            var entry = new FileInfo(next);
            if (entry.LinkTarget is { } target)
            {
                if (++links > MaxLinks) return null;
                if (Path.IsPathRooted(target)) real = "/";
                foreach (var piece in Parts(target).Reverse()) pending.Push(piece);
                continue;
            }
            if (!entry.Exists && !Directory.Exists(next)) return null;
            real = next;
        }
        return real;
    }

    static string[] Parts(string path) => path.Split('/', StringSplitOptions.RemoveEmptyEntries);
}
