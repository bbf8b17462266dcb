using System.Collections.Frozen;

namespace GrpcRec.Engine.Models;

/// <summary>From a value to a feature's index: 0 for what is not known.</summary>
public sealed class FeatureIndex
{
    private readonly FrozenDictionary<string, int> _values;
    private readonly double[] _boundaries;

    public FeatureIndex(EventFeatureManifest feature)
        : this(Checked(feature).Values, feature.Boundaries)
    {
    }

    public FeatureIndex(RequestFeatureManifest feature)
        : this(Checked(feature).Values, [])
    {
    }

    private FeatureIndex(IReadOnlyList<string> values, IReadOnlyList<double> boundaries)
    {
        _values = values.Select((value, index) => KeyValuePair.Create(value, index + 1)).ToFrozenDictionary(StringComparer.Ordinal);
        _boundaries = [.. boundaries];
    }

    /// <summary>Of a text; 0 for null and for one that is not listed.</summary>
    public int Of(string? value) => value is null ? 0 : _values.GetValueOrDefault(value);

    /// <summary>Of a number: 1 + the boundaries at or below it; 0 for NaN.</summary>
    public int Of(double value)
    {
        if (double.IsNaN(value))
            return 0;
        int low = 0, high = _boundaries.Length;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_boundaries[middle] <= value)
                low = middle + 1;
            else
                high = middle;
        }

        return low + 1;
    }

    /// <summary>Of the time between two events, in milliseconds since 1970; 0 where one of them is: not known. Backwards counts as none.</summary>
    public int OfGap(long previousMs, long timestampMs) =>
        previousMs == 0 || timestampMs == 0 ? 0 : Of(Math.Max(0, (double)timestampMs - previousMs));

    private static T Checked<T>(T? feature) => feature ?? throw new ArgumentNullException(nameof(feature));
}
