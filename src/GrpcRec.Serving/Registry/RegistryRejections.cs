using GrpcRec.Serving.Admission;

namespace GrpcRec.Serving.Registry;

/// <summary>The registry's refusals, in one place so that their wording agrees.</summary>
internal static class RegistryRejections
{
    public static Rejection NoModel { get; } = new(
        RejectionKind.FailedPrecondition, "NO_MODEL", "No model is active on this server yet. Train one, or call ActivateVersion for one that ListModels shows.");

    public static Rejection WhichModel(IEnumerable<string> names) => new(
        RejectionKind.Invalid, "MODEL_NAME_REQUIRED", $"The server has several models and no default: name one of {string.Join(", ", names.Order(StringComparer.Ordinal).Take(10))}.");

    public static Rejection UnknownModel(string name) => new(
        RejectionKind.NotFound, "MODEL_NOT_FOUND", $"There is no model {Shown(name, ModelNames.IsModel(name), ModelNames.ModelRule)}. ListModels shows those that there are.");

    public static Rejection UnknownVersion(string name, string version) => new(
        RejectionKind.NotFound, "VERSION_NOT_FOUND", $"Model '{name}' has no version {Shown(version, ModelNames.IsVersion(version), ModelNames.VersionRule)}. ListModels shows those that there are.");

    public static Rejection NotActive(string name) => new(
        RejectionKind.FailedPrecondition, "NO_ACTIVE_VERSION", $"Model '{name}' has no active version: call ActivateVersion.");

    public static Rejection NotLoaded(string name, string version) => new(
        RejectionKind.FailedPrecondition, "VERSION_NOT_LOADED", $"Version '{version}' of model '{name}' is not in memory: call LoadModel first.");

    public static Rejection NothingBefore(string name) => new(
        RejectionKind.FailedPrecondition, "NO_PREVIOUS_VERSION", $"Model '{name}' has no previous version to go back to.");

    public static Rejection NotRecorded { get; } = new(
        RejectionKind.FailedPrecondition, "NOT_RECORDED", "The choice of version cannot be written to the models directory (disk full or read-only?); nothing was changed.");

    // A name that breaks the rule is not repeated: it may be anything.
    private static string Shown(string text, bool valid, string rule) => valid ? $"'{text}'" : $"of that name (a name is {rule})";
}
