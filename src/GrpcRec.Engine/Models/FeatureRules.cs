using System.Text;

namespace GrpcRec.Engine.Models;

/// <summary>What must hold of a manifest's features and item terms.</summary>
internal static class FeatureRules
{
    /// <exception cref="ArtifactException">A field is past its bound, or two contradict each other.</exception>
    public static void Check(ModelManifest manifest, ArtifactLimits limits)
    {
        CheckEvents(manifest, limits);
        CheckRequests(manifest, limits);
        foreach (var task in manifest.Tasks)
        {
            if (task.ItemBias && !(task.Kind == TaskKind.Binary && task.NeedsCandidate))
                throw ManifestRules.Bad($"tasks['{task.Name}'].item_bias", "must be false: only a binary task of a candidate has a term for each item");
        }
    }

    private static void CheckEvents(ModelManifest manifest, ArtifactLimits limits)
    {
        ManifestRules.Between("event_features (count)", manifest.EventFeatures.Count, 0, limits.MaxFeatures);
        var names = new HashSet<string>(StringComparer.Ordinal);
        var width = 0;
        foreach (var feature in manifest.EventFeatures)
        {
            var field = CheckName("event_features", feature?.Name, names);
            ManifestRules.Between($"{field}.embedding_size", feature!.EmbeddingSize, 1, limits.MaxWidth);
            width += feature.EmbeddingSize;
            if (!Enum.IsDefined(feature.Source))
                throw ManifestRules.Bad($"{field}.source", "is not one that this build reads");
            var listed = feature.Source == FeatureSource.Context;
            var bounded = feature.Source is FeatureSource.TimeGap or FeatureSource.Value;
            CheckValues($"{field}.values", feature.Values, listed ? 1 : 0, listed ? limits.MaxFeatureValues : 0, limits);
            ManifestRules.Between($"{field}.boundaries (count)", feature.Boundaries.Count, bounded ? 1 : 0, bounded ? limits.MaxFeatureValues : 0);
            CheckBoundaries($"{field}.boundaries", feature);
            if (feature.Source == FeatureSource.ItemCategory && manifest.Categories.Count == 0)
                throw ManifestRules.Bad($"{field}.source", "is item_category and the items have no categories");
        }

        if (manifest.Encoder.BehaviorEmbeddingSize + width > limits.MaxWidth)
            throw ManifestRules.Bad("event_features", $"and the behaviour have {manifest.Encoder.BehaviorEmbeddingSize + width} columns together; at most {limits.MaxWidth} are allowed");
        var kinds = EventKinds.CountOf(manifest);
        if (manifest.EventFeatures.Count > 0 && kinds > limits.MaxEventKinds)
        {
            throw ManifestRules.Bad("event_features", $"make {kinds} kinds of event with the behaviours ({Factors(manifest)}); at most {limits.MaxEventKinds} are served. "
                + "Leave a feature out, or give it fewer values or boundaries.");
        }
    }

    private static void CheckRequests(ModelManifest manifest, ArtifactLimits limits)
    {
        ManifestRules.Between("request_features (count)", manifest.RequestFeatures.Count, 0, limits.MaxFeatures);
        var names = new HashSet<string>(StringComparer.Ordinal);
        var width = 0;
        foreach (var feature in manifest.RequestFeatures)
        {
            var field = CheckName("request_features", feature?.Name, names);
            ManifestRules.Between($"{field}.embedding_size", feature!.EmbeddingSize, 1, limits.MaxWidth);
            width += feature.EmbeddingSize;
            CheckValues($"{field}.values", feature.Values, 1, limits.MaxFeatureValues, limits);
        }

        if (width > limits.MaxWidth)
            throw ManifestRules.Bad("request_features", $"have {width} columns together; at most {limits.MaxWidth} are allowed");
        if (manifest.RequestFeatures.Count > 0 && !manifest.Tasks.Any(task => task.NeedsCandidate && task.Kind != TaskKind.NextItem))
            throw ManifestRules.Bad("request_features", "must be empty: only the heads of candidate tasks other than next_item read them, and there is none");
    }

    /// <returns>The feature's path.</returns>
    private static string CheckName(string list, string? name, HashSet<string> names)
    {
        if (name is null || !ManifestRules.IsName(name))
            throw ManifestRules.Bad(list, "must be named by 1 to 64 of a-z, 0-9, '-', '_', beginning with a letter");
        if (!names.Add(name))
            throw ManifestRules.Bad(list, $"has two features named '{name}'");
        return $"{list}['{name}']";
    }

    private static void CheckValues(string field, IReadOnlyList<string> values, int low, int high, ArtifactLimits limits)
    {
        ManifestRules.Names(field, values, low, high, limits.MaxLabelLength);
        if (values.FirstOrDefault(value => Encoding.UTF8.GetByteCount(value) > limits.MaxLabelLength) is { } value)
            throw ManifestRules.Bad(field, $"must hold values of at most {limits.MaxLabelLength} bytes of UTF-8: no request could name '{value[..16]}…'");
    }

    private static void CheckBoundaries(string field, EventFeatureManifest feature)
    {
        // A gap is never negative, so a boundary at or below 0 would only name a row that nothing reads.
        var last = feature.Source == FeatureSource.TimeGap ? 0 : double.NegativeInfinity;
        foreach (var boundary in feature.Boundaries)
        {
            if (!double.IsFinite(boundary) || boundary <= last)
                throw ManifestRules.Bad(field, feature.Source == FeatureSource.TimeGap ? "must be finite, above 0 and ascending" : "must be finite and ascending");
            last = boundary;
        }
    }

    /// <summary>"behaviours 3 × tab 16 × gap 13".</summary>
    private static string Factors(ModelManifest manifest) => string.Join(" × ", manifest.EventFeatures
        .Where(feature => feature.Source != FeatureSource.ItemCategory)
        .Select(feature => $"{feature.Name} {feature.CountOf(manifest.Categories.Count)}")
        .Prepend($"behaviours {manifest.Behaviors.Count}"));
}
