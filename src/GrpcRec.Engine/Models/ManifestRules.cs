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
        if (manifest.Encoder.Kind == EncoderKind.Counts)
            CountsRules.Check(manifest, limits);
        else
            CheckEncoder(manifest.Encoder, limits);
        CheckTasks(manifest, limits);
        FeatureRules.Check(manifest, limits);
        CheckPrecision(manifest);

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
        if (!Enum.IsDefined(encoder.Kind))
            throw Bad("encoder.kind", "is not one that this build runs");
        if (encoder.Counts is not null)
            throw Bad("encoder.counts", "must be absent: only the kind \"counts\" has it");
        var gateOrder = EncoderManifest.GateOrderOf(encoder.Kind);
        if (encoder.GateOrder != gateOrder)
            throw Bad("encoder.gate_order", $"must be \"{gateOrder}\" for this kind of encoder");
        if ((encoder.Kind == EncoderKind.Gru) != (encoder.ResetPlacement is ResetPlacement.BeforeProduct or ResetPlacement.AfterProduct))
            throw Bad("encoder.reset_placement", "must be \"before_product\" or \"after_product\" for a gru and \"none\" for other kinds");
        Between("encoder.embedding_size", encoder.EmbeddingSize, 1, limits.MaxWidth);
        Between("encoder.behavior_embedding_size", encoder.BehaviorEmbeddingSize, 0, limits.MaxWidth);
        Between("encoder.hidden_size", encoder.HiddenSize, 1, limits.MaxWidth);
        Between("encoder.layers", encoder.Layers, 1, encoder.Kind switch
        {
            EncoderKind.Cnn => 1,
            EncoderKind.Bag => limits.MaxDenseLayers,
            _ => limits.MaxLayers,
        });
        CheckConvolution(encoder, limits);
        CheckTrunk(encoder.Trunk, limits);
        Between("encoder.bottom_size", encoder.BottomSize, 0, limits.MaxWidth);
        Between("encoder.tower_size", encoder.TowerSize, 0, limits.MaxWidth);
    }

    private static void CheckConvolution(EncoderManifest encoder, ArtifactLimits limits)
    {
        if (encoder.Kind != EncoderKind.Cnn)
        {
            if (encoder.WindowLength != 0 || encoder.FilterHeights.Count > 0 || encoder.HorizontalFilters != 0 || encoder.VerticalFilters != 0)
                throw Bad("encoder", "has a window or filters, which only a cnn may have");
            return;
        }

        Between("encoder.window_length", encoder.WindowLength, 1, limits.MaxWindowLength);
        Between("encoder.filter_heights (count)", encoder.FilterHeights.Count, 1, encoder.WindowLength);
        Between("encoder.horizontal_filters", encoder.HorizontalFilters, 1, limits.MaxFilters);
        Between("encoder.vertical_filters", encoder.VerticalFilters, 0, limits.MaxFilters);
        var last = 0;
        foreach (var height in encoder.FilterHeights)
        {
            if (height <= last || height > encoder.WindowLength)
                throw Bad("encoder.filter_heights", $"must be ascending, different and from 1 to the window's {encoder.WindowLength}");
            last = height;
        }
    }

    private static void CheckTrunk(TrunkManifest trunk, ArtifactLimits limits)
    {
        if (!Enum.IsDefined(trunk.Kind))
            throw Bad("encoder.trunk.kind", "is not one that this build runs");
        var mixes = trunk.Kind != TrunkKind.SharedBottom;
        var ownExperts = trunk.Kind is TrunkKind.Cgc or TrunkKind.Ple or TrunkKind.Stem;
        Between("encoder.trunk.shared_experts", trunk.SharedExperts, mixes ? 1 : 0, mixes ? limits.MaxExperts : 0);
        Between("encoder.trunk.task_experts", trunk.TaskExperts, ownExperts ? 1 : 0, ownExperts ? limits.MaxExperts : 0);
        Between("encoder.trunk.levels", trunk.Levels, 1, trunk.Kind == TrunkKind.Ple ? limits.MaxTrunkLevels : 1);
    }

    private static void CheckPrecision(ModelManifest manifest)
    {
        if (manifest.Precision is not { } precision)
            return;
        if (!Enum.IsDefined(precision.Precision) || string.IsNullOrEmpty(precision.Metric))
            throw Bad("precision", "must name a precision that this build knows and the metric that chose it");
        if (!double.IsFinite(precision.Float32) || !double.IsFinite(precision.Reduced) || !double.IsFinite(precision.MaxRelativeLoss))
            throw Bad("precision", "has a number that is not finite");
        if (precision.Precision != Precision.Float32 && manifest.Encoder.Kind is not (EncoderKind.Lstm or EncoderKind.Gru or EncoderKind.Rnn))
            throw Bad("precision.precision", "must be \"float32\": only an lstm, gru or rnn has reduced forms");
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
            if (task.ItemMemory && (task.Kind != TaskKind.NextItem || manifest.Encoder.Kind == EncoderKind.Counts))
                throw Bad($"tasks['{task.Name}'].item_memory", "must be false: only the next_item task of a network has one");
            if (task.RepeatTerms && (task.Kind != TaskKind.NextItem || manifest.Encoder.Kind == EncoderKind.Counts))
                throw Bad($"tasks['{task.Name}'].repeat_terms", "must be false: only the next_item task of a network has them");
            CheckRegression(task);
            CheckChain(manifest, task);
        }

        if (manifest.Tasks.Count(task => task.Kind == TaskKind.NextItem) > 1)
            throw Bad("tasks", "has more than one next_item task");
        if (manifest.Encoder is { BottomSize: 0, Kind: not EncoderKind.Counts } && manifest.Tasks.Any(task => task.NeedsCandidate && task.Kind != TaskKind.NextItem))
            throw Bad("encoder.bottom_size", "must be at least 1: a task reads a candidate item");
    }

    private static void CheckRegression(TaskManifest task)
    {
        if (task.Kind != TaskKind.Regression)
        {
            if (task.Offset != 0 || task.Scale != 1)
                throw Bad($"tasks['{task.Name}']", "has an offset or a scale, which only a regression may have");
            return;
        }

        if (!task.NeedsCandidate)
            throw Bad($"tasks['{task.Name}'].needs_candidate", "must be true: regression is a task of a candidate");
        if (!double.IsFinite(task.Offset) || !(task.Scale > 0 && task.Scale <= float.MaxValue))
            throw Bad($"tasks['{task.Name}']", "must have a finite offset and a scale above 0");
    }

    private static void CheckChain(ModelManifest manifest, TaskManifest task)
    {
        if (task.Given is null)
            return;
        if (task.Kind != TaskKind.Binary || !task.NeedsCandidate)
            throw Bad($"tasks['{task.Name}'].given", "must be null: only a binary task of a candidate can need another's outcome first");
        var given = manifest.Tasks.TakeWhile(one => one != task).FirstOrDefault(one => one.Name == task.Given);
        if (given is not { Kind: TaskKind.Binary, NeedsCandidate: true })
            throw Bad($"tasks['{task.Name}'].given", $"is '{task.Given}', which is no binary task of a candidate that stands before it");
    }

    public static bool IsName(string text) => TaskName().IsMatch(text);

    public static void Between(string field, long value, long low, long high)
    {
        if (value < low || value > high)
            throw new ArtifactException($"{File}: {field} is {value}; {low} to {high} are allowed");
    }

    public static void Names(string field, IReadOnlyList<string> names, int low, int high, int maxLength)
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

    public static ArtifactException Bad(string field, string why) => new($"{File}: {field} {why}");

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9._-]{0,63}\z")]
    private static partial Regex ModelName();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z")]
    private static partial Regex VersionName();

    [GeneratedRegex(@"\A[a-z][a-z0-9_-]{0,63}\z")]
    private static partial Regex TaskName();

    [GeneratedRegex(@"\A[0-9a-f]{64}\z")]
    private static partial Regex Sha256Hex();
}
