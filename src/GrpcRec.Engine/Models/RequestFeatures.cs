namespace GrpcRec.Engine.Models;

/// <summary>From a request's context to the indices that the heads read.</summary>
public sealed class RequestFeatures
{
    private readonly FeatureIndex[] _indexes;

    public RequestFeatures(ModelManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        Features = manifest.RequestFeatures;
        _indexes = [.. Features.Select(feature => new FeatureIndex(feature))];
    }

    public IReadOnlyList<RequestFeatureManifest> Features { get; }

    /// <summary>0 where a value is absent or not known.</summary>
    /// <returns>[Features], in the manifest's order.</returns>
    public int[] Of(IReadOnlyDictionary<string, string>? context)
    {
        if (_indexes.Length == 0)
            return [];
        var indices = new int[_indexes.Length];
        if (context is null)
            return indices;
        for (var feature = 0; feature < indices.Length; feature++)
            indices[feature] = context.TryGetValue(Features[feature].Name, out var value) ? _indexes[feature].Of(value) : 0;
        return indices;
    }
}
