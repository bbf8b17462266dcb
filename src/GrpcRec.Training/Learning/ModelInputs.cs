using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;

namespace GrpcRec.Training.Learning;

/// <summary>What one model reads of a data set's events, each as an index into a table of the model's: computed once, for all windows.</summary>
public sealed class ModelInputs
{
    private readonly SequenceDataset _dataset;
    private readonly EventKinds _kinds;
    private readonly ushort[][] _ofKinds;

    /// <exception cref="EvaluationException">The data lacks what the model reads.</exception>
    public ModelInputs(ModelManifest manifest, SequenceDataset dataset)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(dataset);
        _dataset = dataset;
        Manifest = manifest;
        _kinds = new EventKinds(manifest);
        var events = manifest.EventFeatures.ToDictionary(feature => feature.Name, feature => Ids(feature), StringComparer.Ordinal);
        EventFeatures = [.. manifest.EventFeatures.Select(feature => (feature, events[feature.Name]))];
        RequestFeatures = [.. manifest.RequestFeatures.Select(feature => (feature, OfContext(feature.Name, feature.Values)))];
        _ofKinds = [.. _kinds.Features.Select(feature => events[feature.Name])];
    }

    public ModelManifest Manifest { get; }

    public bool ReadsBehaviors => Manifest.Encoder.BehaviorEmbeddingSize > 0;

    /// <summary>In the manifest's order, each with its [N] indices.</summary>
    public IReadOnlyList<(EventFeatureManifest Feature, ushort[] Ids)> EventFeatures { get; }

    /// <summary>In the manifest's order, each with its [N] indices, of the event that is the request's target.</summary>
    public IReadOnlyList<(RequestFeatureManifest Feature, ushort[] Ids)> RequestFeatures { get; }

    /// <summary>The event features that a kind holds: all but those of its item.</summary>
    public IReadOnlyList<EventFeatureManifest> KindFeatures => _kinds.Features;

    /// <summary>The event's kind, which an engine reads in place of its behaviour.</summary>
    /// <param name="t">Event.</param>
    /// <param name="unknown">A feature, by its name, that is not to be known.</param>
    /// <param name="knowsBehavior">False: the behaviour is the first.</param>
    public int KindOf(int t, string? unknown = null, bool knowsBehavior = true)
    {
        Span<int> indices = stackalloc int[_ofKinds.Length];
        for (var feature = 0; feature < indices.Length; feature++)
            indices[feature] = _kinds.Features[feature].Name == unknown ? 0 : _ofKinds[feature][t];
        return _kinds.Of(knowsBehavior ? _dataset.BehaviorIds[t] : 0, indices);
    }

    /// <summary>The indices of the request whose target is an event, in the manifest's order.</summary>
    /// <param name="unknown">A feature, by its name, that is not to be known.</param>
    public int[] RequestOf(int target, string? unknown = null) =>
        [.. RequestFeatures.Select(feature => feature.Feature.Name == unknown ? 0 : (int)feature.Ids[target])];

    private ushort[] Ids(EventFeatureManifest feature)
    {
        var index = new FeatureIndex(feature);
        var ids = new ushort[_dataset.EventCount];
        switch (feature.Source)
        {
            case FeatureSource.Context:
                return OfContext(feature.Name, feature.Values);
            case FeatureSource.ItemCategory:
                for (var t = 0; t < ids.Length; t++)
                    ids[t] = (ushort)(1 + _dataset.Items.Items[_dataset.ItemIds[t]].Category);
                return ids;
            case FeatureSource.Value:
                for (var t = 0; t < ids.Length; t++)
                    ids[t] = (ushort)index.Of((double)_dataset.Values[t]);
                return ids;
            case FeatureSource.TimeGap when !_dataset.HasTimes:
                throw new EvaluationException($"The model reads the time between events ({feature.Name}), and the data has no times.");
            case FeatureSource.TimeGap:
                for (var s = 0; s < _dataset.SequenceCount; s++)
                {
                    for (var t = _dataset.Offsets[s] + 1; t < _dataset.Offsets[s + 1]; t++)
                        ids[t] = (ushort)index.OfGap(_dataset.TimestampsMs[t - 1], _dataset.TimestampsMs[t]);
                }

                return ids;
            default:
                throw new NotSupportedException($"A feature of source {feature.Source} is not read in training.");
        }
    }

    /// <summary>By the model's values, which other data may not have, or have in another order.</summary>
    private ushort[] OfContext(string name, IReadOnlyList<string> values)
    {
        if (!_dataset.Contexts.TryGetValue(name, out var column))
            throw new EvaluationException($"The model reads the context \"{name}\", and the data has no such column; name it among its context columns.");
        var known = values.Select((value, i) => KeyValuePair.Create(value, (ushort)(i + 1))).ToDictionary(StringComparer.Ordinal);
        ushort[] renamed = [0, .. column.Values.Select(value => known.GetValueOrDefault(value))];
        return Array.ConvertAll(column.Ids, id => renamed[id]);
    }
}
