namespace GrpcRec.Engine.Models;

/// <summary>What the features of one event are read from.</summary>
/// <param name="PreviousMs">Time of the event before, in milliseconds since 1970; 0: not known, or there is none.</param>
/// <param name="TimestampMs">Its own; 0: not known.</param>
/// <param name="Value">NaN: none.</param>
/// <param name="Context">Null: empty.</param>
public readonly record struct EventValues(long PreviousMs, long TimestampMs, double Value = double.NaN, IReadOnlyDictionary<string, string>? Context = null);

/// <summary>
/// An event's kind: its behaviour and all its features but those of its item as one number, so that an engine reads them as one table with
/// a row for each kind. kind = behaviour + B·(i₀ + n₀·(i₁ + n₁·(…))), i the features' indices in the manifest's order: without features it is the
/// behaviour, and below B nothing but the behaviour is known.
/// </summary>
public sealed class EventKinds
{
    private readonly FeatureIndex[] _indexes;
    private readonly int[] _counts;
    private readonly int _behaviors;

    public EventKinds(ModelManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        Features = [.. manifest.EventFeatures.Where(feature => feature.Source != FeatureSource.ItemCategory)];
        _indexes = [.. Features.Select(feature => new FeatureIndex(feature))];
        _counts = [.. Features.Select(feature => feature.CountOf(manifest.Categories.Count))];
        _behaviors = manifest.Behaviors.Count;
        Count = checked((int)CountOf(manifest));
    }

    /// <summary>K.</summary>
    public int Count { get; }

    /// <summary>The features that a kind holds, in the manifest's order.</summary>
    public IReadOnlyList<EventFeatureManifest> Features { get; }

    /// <summary>K of a manifest that was not checked; <see cref="long.MaxValue"/> when it is past a long.</summary>
    public static long CountOf(ModelManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var kinds = (Int128)manifest.Behaviors.Count;
        foreach (var feature in manifest.EventFeatures.Where(feature => feature.Source != FeatureSource.ItemCategory))
            kinds = Int128.Min(kinds * feature.CountOf(manifest.Categories.Count), long.MaxValue);
        return (long)kinds;
    }

    /// <param name="behavior">Dense id.</param>
    public int Of(int behavior, in EventValues values)
    {
        var kind = 0;
        for (var feature = _counts.Length - 1; feature >= 0; feature--)
            kind = (kind * _counts[feature]) + IndexOf(feature, values);
        return behavior + (_behaviors * kind);
    }

    /// <param name="behavior">Dense id.</param>
    /// <param name="indices">[Features] each from 0 to its count - 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">One is not.</exception>
    public int Of(int behavior, ReadOnlySpan<int> indices)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(indices.Length, _counts.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)behavior, (uint)_behaviors);
        var kind = 0;
        for (var feature = _counts.Length - 1; feature >= 0; feature--)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)indices[feature], (uint)_counts[feature]);
            kind = (kind * _counts[feature]) + indices[feature];
        }

        return behavior + (_behaviors * kind);
    }

    /// <summary>The way back.</summary>
    /// <param name="indices">[Features] written.</param>
    /// <returns>The behaviour.</returns>
    public int Unfold(int kind, Span<int> indices)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)kind, (uint)Count);
        ArgumentOutOfRangeException.ThrowIfNotEqual(indices.Length, _counts.Length);
        var rest = kind / _behaviors;
        for (var feature = 0; feature < _counts.Length; feature++)
        {
            indices[feature] = rest % _counts[feature];
            rest /= _counts[feature];
        }

        return kind % _behaviors;
    }

    private int IndexOf(int feature, in EventValues values) => Features[feature].Source switch
    {
        FeatureSource.TimeGap => _indexes[feature].OfGap(values.PreviousMs, values.TimestampMs),
        // Data sets hold values in single precision, and boundaries are some of them: 0.1 must fall on the side that it fell on there.
        FeatureSource.Value => _indexes[feature].Of((float)values.Value),
        _ => values.Context is not null && values.Context.TryGetValue(Features[feature].Name, out var value) ? _indexes[feature].Of(value) : 0,
    };
}
