using GrpcRec.V1;
using static GrpcRec.Server.Mapping.TrainRequestRules;

namespace GrpcRec.Server.Mapping;

/// <summary>The bounds of the features that a network is to read, and that a context among them is one of the data's.</summary>
static class FeatureSpecRules
{
    const int MaxFeatures = 32;
    const int MaxNameLength = 64;
    static readonly string[] Sources = ["context", "time_gap", "value", "item_category"];

    /// <param name="contexts">Context columns that the request keeps of its data.</param>
    public static void Check(Architecture network, IList<string> contexts, Violations violations)
    {
        const string events = "architecture.event_features", requests = "architecture.request_features";
        CheckNames(events, [.. network.EventFeatures.Select(feature => (feature.Name, IsContext: feature.Source is "" or "context"))], contexts, violations);
        CheckNames(requests, [.. network.RequestFeatures.Select(feature => (feature.Name, IsContext: true))], contexts, violations);
        for (var i = 0; i < Math.Min(network.EventFeatures.Count, MaxFeatures); i++)
        {
            var feature = network.EventFeatures[i];
            if (feature.Source.Length > 0 && !Sources.Contains(feature.Source))
                violations.Add($"{events}[{i}].source", ViolationReason.UnknownName, $"is {Violations.Quote(feature.Source)}; use {Violations.Choices(Sources)}.");
            InRange($"{events}[{i}].embedding_size", feature.HasEmbeddingSize, feature.EmbeddingSize, 1, 1_024, violations);
            InRange($"{events}[{i}].buckets", feature.HasBuckets, feature.Buckets, 2, 64, violations);
        }
        for (var i = 0; i < Math.Min(network.RequestFeatures.Count, MaxFeatures); i++)
            InRange($"{requests}[{i}].embedding_size", network.RequestFeatures[i].HasEmbeddingSize, network.RequestFeatures[i].EmbeddingSize, 1, 1_024, violations);
        if (network.HasItemTermRate && network.ItemTermRate is not (>= 0 and <= 1))
            violations.Add("architecture.item_term_rate", RangeReason(network.ItemTermRate), $"is {Number(network.ItemTermRate)}; 0 to 1.");
    }

    static void CheckNames(string list, (string Name, bool IsContext)[] features, IList<string> contexts, Violations violations)
    {
        if (features.Length > MaxFeatures)
            violations.Add(list, ViolationReason.TooMany, $"has {features.Length} features; at most {MaxFeatures}.");
        for (var i = 0; i < Math.Min(features.Length, MaxFeatures); i++)
        {
            var (name, isContext) = features[i];
            var field = $"{list}[{i}].name";
            if (name.Length == 0)
                violations.Add(field, ViolationReason.Required, "is required.");
            else if (name.Length > MaxNameLength || !char.IsAsciiLetterLower(name[0]) || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_'))
                violations.Add(field, ViolationReason.InvalidFormat, $"is {Violations.Quote(name)}; 1 to {MaxNameLength} of a-z, 0-9, '-' and '_', beginning with a letter.");
            else if (isContext && !contexts.Contains(name))
                violations.Add(field, ViolationReason.UnknownName, $"is {Violations.Quote(name)}, which is none of data.columns.contexts; name the column there too.");
            if (Array.FindIndex(features, one => one.Name == name) < i)
                violations.Add(field, ViolationReason.Repeated, $"repeats {Violations.Quote(name)}.");
        }
    }
}
