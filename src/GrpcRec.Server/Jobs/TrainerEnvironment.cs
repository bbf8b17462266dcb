namespace GrpcRec.Server.Jobs;

/// <summary>The environment that the training worker runs in: ours, less what would make it listen, plus what makes it fast.</summary>
public static class TrainerEnvironment
{
    public static void Apply(IDictionary<string, string?> environment)
    {
        // Training frees and allocates large tensors all the time: without huge pages the C library's allocator makes it about five times slower.
        // glibc reads this at a process's start, so it cannot be set from within.
        environment["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1";
        // Training shares its cores with serving: an OpenMP thread that spins while it waits takes a core from requests, and with more
        // threads than cores every parallel region waits for one that is not running.
        environment["OMP_WAIT_POLICY"] = "PASSIVE";
        environment["DOTNET_gcServer"] = "0";
        environment["DOTNET_NOLOGO"] = "1";
        // Settings meant for this server's own host must not reach the worker's.
        foreach (var name in environment.Keys.Where(IsHostSetting).ToArray()) environment.Remove(name);
    }

    static bool IsHostSetting(string name) =>
        name.StartsWith("ASPNETCORE_", StringComparison.OrdinalIgnoreCase)
        || name.StartsWith("Kestrel", StringComparison.OrdinalIgnoreCase)
        || name is "DOTNET_URLS" or "URLS" or "HTTP_PORTS" or "HTTPS_PORTS" or "GRPCREC_LISTEN" or "DOTNET_STARTUP_HOOKS";
}
