using System.Text.RegularExpressions;

namespace GrpcRec.Serving.Registry;

/// <summary>
/// Names of models and versions, which are directories too. They begin with a letter or digit and hold no separator, so none leads out of
/// the models directory, and the temporary directories of a crashed writer (which begin with a dot) are no versions.
/// </summary>
public static partial class ModelNames
{
    public const string ModelRule = "1 to 64 of a-z, 0-9, '-', '_', '.', beginning with a letter or digit";
    public const string VersionRule = "1 to 64 of a-z, A-Z, 0-9, '-', '_', '.', beginning with a letter or digit";

    public static bool IsModel(string? text) => text is not null && Model().IsMatch(text);

    public static bool IsVersion(string? text) => text is not null && Version().IsMatch(text);

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9._-]{0,63}\z")]
    private static partial Regex Model();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z")]
    private static partial Regex Version();
}
