using GrpcRec.Server.Jobs;

namespace GrpcRec.Interop.Tests;

/// <summary>What build/install-interop.sh installs. What is absent makes a test skip with that word; in CI, where nothing may be absent, fail.</summary>
static class Installed
{
    public static string Root { get; } = FindRoot();

    public static string Python => Require("/usr/bin/python3", "Debian's python3-grpcio", Path.Exists("/usr/lib/python3/dist-packages/grpc") && File.Exists("/usr/bin/grpc_python_plugin"));
    public static string Node => Require(OnPath("node") ?? "node", "Node and the packages of samples/node", OnPath("node") is not null && Directory.Exists(Path.Combine(Root, "samples/node/node_modules/@grpc/grpc-js")));
    public static string Buf => RequireFile("build/tools/node_modules/.bin/buf", "@bufbuild/buf");

    public static TrainerProgram Trainer
    {
        get
        {
            var program = TrainerLocator.Find(null, out var missing);
            Need(program is not null, missing);
            return program!;
        }
    }

    static string RequireFile(string path, string what) => Require(Path.Combine(Root, path), what, File.Exists(Path.Combine(Root, path)));

    static string Require(string program, string what, bool present)
    {
        Need(present, $"{what} is not installed: run build/install-interop.sh");
        return program;
    }

    static void Need(bool present, string reason)
    {
        if (Environment.GetEnvironmentVariable("CI") == "true") Assert.True(present, reason);
        Skip.IfNot(present, reason);
    }

    static string? OnPath(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "GrpcRec.sln"))) return folder.FullName;
        throw new InvalidOperationException("These tests run from a source tree.");
    }
}
