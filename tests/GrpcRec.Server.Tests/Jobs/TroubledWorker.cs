namespace GrpcRec.Server.Tests.Jobs;

/// <summary>Programs that stand where the training worker should, each with one kind of trouble. The real worker is run by the interop tests.</summary>
static class TroubledWorker
{
    public const string Hangs = "exec sleep 600";
    public const string Dies = "echo going down >&2; exit 3";
    public const string Talks = "while :; do echo 0123456789012345678901234567890123456789; done";

    public static string Write(string folder, string script)
    {
        var path = Path.Combine(folder, "worker.sh");
        File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }
}
