namespace GrpcRec.Training.Tests.Datasets;

/// <summary>The public data sets, which are not in the repository: in GRPCREC_DATA, or in shared/data beside a folder above this one.</summary>
internal static class SharedData
{
    /// <summary>The folder; skips the test, with the reason, when it is not there.</summary>
    public static string Root()
    {
        var root = Find();
        Skip.If(root is null, "The public data sets are not here: set GRPCREC_DATA to their folder.");
        return root!;
    }

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("GRPCREC_DATA") is { Length: > 0 } given)
            return Directory.Exists(given) ? given : null;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "shared", "data");
            if (Directory.Exists(candidate))
                return candidate;
        }

        return null;
    }
}
