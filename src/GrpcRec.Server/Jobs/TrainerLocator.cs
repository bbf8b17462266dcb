namespace GrpcRec.Server.Jobs;

/// <summary>How to start the training worker: a program, and the arguments that come before the command.</summary>
public sealed record TrainerProgram(string FileName, IReadOnlyList<string> LeadingArguments);

/// <summary>
/// Finds the training worker, which a serving-only installation does without. In this order: the path given, the environment variable
/// GRPCREC_TRAINER, the folder "trainer" beside the server, and, in a source tree, the worker's own build output of the same configuration.
/// </summary>
public static class TrainerLocator
{
    public const string EnvironmentVariable = "GRPCREC_TRAINER";
    const string AssemblyFile = "grpcrec-trainer.dll";
    const string ExecutableFile = "grpcrec-trainer";

    /// <returns>null, with the reason in <paramref name="error"/>, when there is none.</returns>
    public static TrainerProgram? Find(string? path, out string error)
    {
        var given = path ?? Environment.GetEnvironmentVariable(EnvironmentVariable);
        if (!string.IsNullOrEmpty(given))
        {
            var found = FromPath(given);
            error = found is null ? $"There is no training worker at '{given}' (given with {(path is null ? EnvironmentVariable : "--trainer")}): expected {AssemblyFile} or {ExecutableFile}." : "";
            return found;
        }

        foreach (var folder in Candidates(AppContext.BaseDirectory))
            if (FromPath(folder) is { } program)
            {
                error = "";
                return program;
            }
        error = $"The training worker ({AssemblyFile}) is not installed. Install it in a folder 'trainer' beside the server, build src/GrpcRec.Trainer, or name it with --trainer or {EnvironmentVariable}.";
        return null;
    }

    static IEnumerable<string> Candidates(string baseDirectory)
    {
        yield return Path.Combine(baseDirectory, "trainer");

        // A build's output is …/bin/<configuration>/<framework>[/<runtime>]/; the worker's is the same with a runtime.
        var output = new DirectoryInfo(baseDirectory);
        string? configuration = null, framework = null;
        for (var folder = output; folder.Parent is not null; folder = folder.Parent)
        {
            if (folder.Name.StartsWith("net", StringComparison.Ordinal) && folder.Parent.Parent?.Name == "bin")
                (framework, configuration) = (folder.Name, folder.Parent.Name);
            if (framework is not null && File.Exists(Path.Combine(folder.FullName, "GrpcRec.sln")))
            {
                yield return Path.Combine(folder.FullName, "src", "GrpcRec.Trainer", "bin", configuration!, framework, "linux-x64");
                yield break;
            }
        }
    }

    static TrainerProgram? FromPath(string path)
    {
        var full = Path.GetFullPath(path);
        if (Directory.Exists(full))
            return FromPath(Path.Combine(full, AssemblyFile)) ?? FromPath(Path.Combine(full, ExecutableFile));
        if (!File.Exists(full)) return null;
        if (!full.EndsWith(".dll", StringComparison.Ordinal)) return new(full, []);
        return DotnetHost() is { } dotnet ? new(dotnet, [full]) : null;
    }

    /// <summary>The `dotnet` that runs this process, so that the worker gets the same runtime whatever PATH says.</summary>
    static string? DotnetHost()
    {
        if (Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } named && File.Exists(named)) return named;
        if (Environment.ProcessPath is { } self && Path.GetFileName(self) == "dotnet") return self;

        // <root>/shared/Microsoft.NETCore.App/<version>/ → <root>/dotnet
        var runtime = System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory();
        var beside = Path.GetFullPath(Path.Combine(runtime, "..", "..", "..", "dotnet"));
        if (File.Exists(beside)) return beside;
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, "dotnet")).FirstOrDefault(File.Exists);
    }
}
