using System.Text.RegularExpressions;
using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.MultiTask;
using static GrpcRec.Training.Learning.TrainingPlanRules;

namespace GrpcRec.Training.Learning;

/// <summary>Bounds of a network's features, and their part of the manifest.</summary>
internal static partial class FeatureRules
{
    public const int MaxBuckets = 64;
    private const int DefaultGaps = 16, DefaultValues = 8;
    private const string Events = "architecture.event_features", Requests = "architecture.request_features";

    /// <exception cref="TrainingException">A field is out of its range, or a name repeated.</exception>
    public static void Check(ArchitecturePlan network)
    {
        CheckNames(Events, [.. network.EventFeatures.Select(feature => feature.Name)]);
        CheckNames(Requests, [.. network.RequestFeatures.Select(feature => feature.Name)]);
        foreach (var feature in network.EventFeatures)
        {
            if (!Enum.IsDefined(feature.Source))
                throw Bad($"{Events}['{feature.Name}'].source", "is not a source");
            Between($"{Events}['{feature.Name}'].embedding_size", feature.EmbeddingSize, 0, ArchitectureRules.MaxWidth);
            if (feature.Buckets != 0)
                Between($"{Events}['{feature.Name}'].buckets", feature.Buckets, 2, MaxBuckets);
        }

        Between("architecture.item_term_rate", network.ItemTermRate, 0, 1);
        foreach (var feature in network.RequestFeatures)
            Between($"{Requests}['{feature.Name}'].embedding_size", feature.EmbeddingSize, 0, ArchitectureRules.MaxWidth);
    }

    /// <summary>The manifest with its features, as the training part of the data has them, and with the terms of its items.</summary>
    /// <exception cref="TrainingException">The data has no such column, or nothing in it; or no task reads what is asked for.</exception>
    public static ModelManifest Extend(ModelManifest manifest, ArchitecturePlan network, SequenceDataset dataset, IReadOnlyList<TaskLabels> tasks)
    {
        if (network.RequestFeatures.Count > 0 && !tasks.Any(task => task.NeedsCandidate && task.Kind != TaskKind.NextItem))
            throw Bad(Requests, "are read by binary, regression and multi-class tasks of a candidate, and no task is one; leave them out");
        if (network.ItemTerms && !tasks.Any(HasTerms))
            throw Bad("architecture.item_terms", "belong to binary tasks of a candidate, and no task is one; leave them out");
        if (network.ItemMemory && tasks.All(task => task.Kind != TaskKind.NextItem))
            throw Bad("architecture.item_memory", "belongs to a next_item task, and there is none; leave it out");
        if (network.RepeatTerms && tasks.All(task => task.Kind != TaskKind.NextItem))
            throw Bad("architecture.repeat_terms", "belong to a next_item task, and there is none; leave them out");
        if (network.RequestFeatures.FirstOrDefault(feature => tasks.Any(task => (task.Definition.Label as LabelSource.Column)?.Name == feature.Name)) is { } label)
            throw Bad($"{Requests}['{label.Name}']", "is also the label of a task: a request cannot know it");
        manifest = manifest with
        {
            EventFeatures = [.. network.EventFeatures.Select(feature => Manifest(feature, dataset))],
            RequestFeatures = [.. network.RequestFeatures.Select(feature => new RequestFeatureManifest
            {
                Name = feature.Name, Values = Values(Requests, feature.Name, dataset), EmbeddingSize = Width(feature.EmbeddingSize, 1 + dataset.Contexts[feature.Name].Values.Count),
            })],
            Tasks = [.. manifest.Tasks.Zip(tasks, (task, labels) => task with
            {
                ItemBias = network.ItemTerms && HasTerms(labels), ItemMemory = network.ItemMemory && labels.Kind == TaskKind.NextItem,
                RepeatTerms = network.RepeatTerms && labels.Kind == TaskKind.NextItem,
            })],
        };
        var (kinds, most) = (EventKinds.CountOf(manifest), ArtifactLimits.Default.MaxEventKinds);
        if (kinds > most && manifest.EventFeatures.Count > 0)
        {
            var factors = manifest.EventFeatures.Where(feature => feature.Source != FeatureSource.ItemCategory).Select(feature => $"{feature.Name} {feature.CountOf(0)}");
            throw Bad(Events, $"make {kinds} kinds of event (behaviours {manifest.Behaviors.Count} × {string.Join(" × ", factors)}), and at most {most} can be served; leave one out, or give it fewer buckets");
        }

        return manifest;
    }

    /// <summary>The same plan for a task alone, which reads only some of what was asked for all.</summary>
    public static ArchitecturePlan FittedTo(ArchitecturePlan network, TaskLabels task) => network with
    {
        RequestFeatures = task.NeedsCandidate && task.Kind != TaskKind.NextItem ? network.RequestFeatures : [],
        ItemTerms = network.ItemTerms && HasTerms(task),
        ItemMemory = network.ItemMemory && task.Kind == TaskKind.NextItem,
        RepeatTerms = network.RepeatTerms && task.Kind == TaskKind.NextItem,
    };

    private static bool HasTerms(TaskLabels task) => task.Kind == TaskKind.Binary && task.NeedsCandidate;

    private static EventFeatureManifest Manifest(EventFeaturePlan feature, SequenceDataset dataset)
    {
        var field = $"{Events}['{feature.Name}']";
        var manifest = new EventFeatureManifest { Name = feature.Name, Source = feature.Source, EmbeddingSize = 0 };
        switch (feature.Source)
        {
            case FeatureSource.Context:
                manifest = manifest with { Values = Values(Events, feature.Name, dataset) };
                break;
            case FeatureSource.ItemCategory when dataset.Categories.Count == 0:
                throw Bad(field, "is the items' category, and the items of the data have none; map a column to \"category\"");
            case FeatureSource.TimeGap when !dataset.HasTimes:
                throw Bad(field, "is the time between events, and the data has no times");
            case FeatureSource.TimeGap:
                manifest = manifest with { Boundaries = FeatureBoundaries.OfGaps(dataset, feature.Buckets == 0 ? DefaultGaps : feature.Buckets) };
                break;
            case FeatureSource.Value:
                manifest = manifest with { Boundaries = FeatureBoundaries.OfValues(dataset, feature.Buckets == 0 ? DefaultValues : feature.Buckets) };
                break;
        }

        if (feature.Source is FeatureSource.TimeGap or FeatureSource.Value && manifest.Boundaries.Count == 0)
            throw Bad(field, feature.Source == FeatureSource.TimeGap ? "is the time between events, and all targets of the training part stand at the instant of the event before" : "is the events' value, and those of the training part are all alike or absent");
        return manifest with { EmbeddingSize = Width(feature.EmbeddingSize, manifest.CountOf(dataset.Categories.Count)) };
    }

    private static IReadOnlyList<string> Values(string list, string name, SequenceDataset dataset)
    {
        if (!dataset.Contexts.TryGetValue(name, out var column))
        {
            throw Bad($"{list}['{name}']", dataset.Contexts.Count == 0
                ? "is no context column: the data has none; name it among the import's contexts"
                : $"is no context column; the data has {string.Join(", ", dataset.Contexts.Keys.Take(16).Select(one => $"\"{one}\""))}");
        }

        if (column.Values.Count == 0)
            throw Bad($"{list}['{name}']", "has no value in the training part");
        return column.Values;
    }

    private static int Width(int asked, int count) => asked > 0 ? asked : Math.Clamp((int)Math.Round(Math.Sqrt(count)), 2, 16);

    private static void CheckNames(string list, string[] names)
    {
        Between($"{list} (count)", names.Length, 0, ArtifactLimits.Default.MaxFeatures);
        foreach (var name in names)
        {
            if (!Name().IsMatch(name))
                throw Bad(list, $"has the name \"{(name.Length <= 64 ? name : name[..64] + "…")}\"; a name is 1 to 64 of a-z, 0-9, '-' and '_', beginning with a letter (rename the column)");
        }

        if (names.Distinct(StringComparer.Ordinal).Count() != names.Length)
            throw Bad(list, "has two features of one name");
    }

    [GeneratedRegex(@"\A[a-z][a-z0-9_-]{0,63}\z")]
    private static partial Regex Name();
}
