using System.Text.RegularExpressions;

namespace GrpcRec.Engine.Models;

/// <summary>What must hold of a manifest before a byte of weights is read: it bounds everything that is sized by it.</summary>
internal static partial class ManifestRules
{
    private const string File = "manifest.json";

    /// <exception cref="ArtifactException">A field is past its bound, or two contradict each other.</exception>
    public static void Check(ModelManifest manifest, ArtifactLimits limits)
    {
        if (manifest.FormatVersion != ModelManifest.CurrentFormat)
            throw UnknownFormat(manifest.FormatVersion);
        if (!ModelName().IsMatch(manifest.Name))
            throw Bad("name", "must be 1 to 64 of a-z, 0-9, '-', '_', '.', beginning with a letter or digit");
        if (!VersionName().IsMatch(manifest.Version))
            throw Bad("version", "must be 1 to 64 of a-z, A-Z, 0-9, '-', '_', '.', beginning with a letter or digit");

        Between("catalog_size", manifest.CatalogSize, 1, limits.MaxCatalogSize);
        Between("max_sequence_length", manifest.MaxSequenceLength, 1, limits.MaxSequenceLength);
        Names("behaviors", manifest.Behaviors, 1, limits.MaxBehaviors, limits.MaxLabelLength);
        Names("categories", manifest.Categories, 0, limits.MaxCategories, limits.MaxLabelLength);
        Numbers("metrics", manifest.Metrics);
        Numbers("baseline_metrics", manifest.BaselineMetrics);
        CheckEncoder(manifest.Encoder, limits);
        CheckTasks(manifest, limits);

        if (!Sha256Hex().IsMatch(manifest.Data.Sha256))
            throw Bad("data.sha256", "must be 64 lower-case hexadecimal digits");
        if (manifest.Data.Events < 0 || manifest.Data.Sequences < 0)
            throw Bad("data", "must not have negative counts");
    }

    public static bool IsSha256(string text) => Sha256Hex().IsMatch(text);

    public static ArtifactException UnknownFormat(long found) =>
        new($"{File}: format_version is {found} and this build reads {ModelManifest.CurrentFormat}. Use the server version that wrote the model, or train it again.");

    private static void CheckEncoder(EncoderManifest encoder, ArtifactLimits limits)
    {
        if (encoder.Kind != EncoderKind.Lstm)
            throw Bad("encoder.kind", "is not one that this build runs");
        if (encoder.GateOrder != "ifgo")
            throw Bad("encoder.gate_order", "must be \"ifgo\"");
        Between("encoder.embedding_size", encoder.EmbeddingSize, 1, limits.MaxWidth);
        Between("encoder.behavior_embedding_size", encoder.BehaviorEmbeddingSize, 0, limits.MaxWidth);
        Between("encoder.hidden_size", encoder.HiddenSize, 1, limits.MaxWidth);
        Between("encoder.layers", encoder.Layers, 1, limits.MaxLayers);
        Between("encoder.bottom_size", encoder.BottomSize, 0, limits.MaxWidth);
        Between("encoder.tower_size", encoder.TowerSize, 0, limits.MaxWidth);
    }

    private static void CheckTasks(ModelManifest manifest, ArtifactLimits limits)
    {
        Between("tasks (count)", manifest.Tasks.Count, 1, limits.MaxTasks);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var task in manifest.Tasks)
        {
            if (task is null || !TaskName().IsMatch(task.Name))
                throw Bad("tasks", "must be named by 1 to 64 of a-z, 0-9, '-', '_', beginning with a letter");
            if (!names.Add(task.Name))
                throw Bad("tasks", $"has two tasks named '{task.Name}'");
            if (!Enum.IsDefined(task.Kind))
                throw Bad($"tasks['{task.Name}'].kind", "is not one that this build runs");
            if (task.Kind == TaskKind.Multiclass)
                Names($"tasks['{task.Name}'].class_names", task.ClassNames, 2, limits.MaxClasses, limits.MaxLabelLength);
            else if (task.ClassNames.Count > 0)
                throw Bad($"tasks['{task.Name}'].class_names", "must be empty: the task is not multiclass");
            if (task.Kind == TaskKind.NextItem && !task.NeedsCandidate)
                throw Bad($"tasks['{task.Name}'].needs_candidate", "must be true: next_item is a task of a candidate");
        }

        if (manifest.Tasks.Count(task => task.Kind == TaskKind.NextItem) > 1)
            throw Bad("tasks", "has more than one next_item task");
        if (manifest.Encoder.BottomSize == 0 && manifest.Tasks.Any(task => task.NeedsCandidate && task.Kind != TaskKind.NextItem))
            throw Bad("encoder.bottom_size", "must be at least 1: a task reads a candidate item");
    }

    private static void Between(string field, long value, long low, long high)
    {
        if (value < low || value > high)
            throw new ArtifactException($"{File}: {field} is {value}; {low} to {high} are allowed");
    }

    private static void Names(string field, IReadOnlyList<string> names, int low, int high, int maxLength)
    {
        Between($"{field} (count)", names.Count, low, high);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in names)
        {
            if (string.IsNullOrEmpty(name) || name.Length > maxLength)
                throw Bad(field, $"must hold names of 1 to {maxLength} characters");
            if (!seen.Add(name))
                throw Bad(field, $"names '{name}' twice");
        }
    }

    private static void Numbers(string field, IReadOnlyDictionary<string, double> values)
    {
        foreach (var (name, value) in values)
        {
            if (!double.IsFinite(value))
                throw Bad(field, $"has a value that is not finite: '{name}'");
        }
    }

    private static ArtifactException Bad(string field, string why) => new($"{File}: {field} {why}");

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9._-]{0,63}\z")]
    private static partial Regex ModelName();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z")]
    private static partial Regex VersionName();

    [GeneratedRegex(@"\A[a-z][a-z0-9_-]{0,63}\z")]
    private static partial Regex TaskName();

    [GeneratedRegex(@"\A[0-9a-f]{64}\z")]
    private static partial Regex Sha256Hex();
}
