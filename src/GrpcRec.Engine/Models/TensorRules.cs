namespace GrpcRec.Engine.Models;

/// <summary>What must hold of the weights: exactly the tensors that the manifest demands, and no number that could poison a sum.</summary>
internal static class TensorRules
{
    /// <exception cref="ArtifactException">A tensor is missing, unknown or of another shape.</exception>
    public static void CheckShapes(ModelManifest manifest, IEnumerable<KeyValuePair<string, int[]>> tensors) =>
        CheckShapes(ModelTensors.Expected(manifest), tensors);

    /// <summary>The same of the tensors of whole numbers.</summary>
    /// <exception cref="ArtifactException">A tensor is missing, unknown or of another shape.</exception>
    public static void CheckIndexShapes(ModelManifest manifest, IEnumerable<KeyValuePair<string, int[]>> tensors) =>
        CheckShapes(manifest.Encoder.Kind == EncoderKind.Counts ? CountsRules.ExpectedIndices(manifest) : new Dictionary<string, int[]>(), tensors);

    private static void CheckShapes(IReadOnlyDictionary<string, int[]> demanded, IEnumerable<KeyValuePair<string, int[]>> tensors)
    {
        var expected = new Dictionary<string, int[]>(demanded, StringComparer.Ordinal);
        foreach (var (name, shape) in tensors)
        {
            if (!expected.Remove(name, out var wanted))
                throw new ArtifactException($"{ModelArtifact.WeightsFile}: tensor '{name}' is not one that the manifest demands");
            if (!shape.AsSpan().SequenceEqual(wanted))
                throw new ArtifactException($"{ModelArtifact.WeightsFile}: tensor '{name}' has shape {WeightTensor.Describe(shape)} and the manifest demands {WeightTensor.Describe(wanted)}");
        }

        if (expected.Count > 0)
            throw new ArtifactException($"{ModelArtifact.WeightsFile}: tensor '{expected.Keys.Order(StringComparer.Ordinal).First()}' is missing");
    }

    /// <exception cref="ArtifactException">A weight is NaN, infinite or past the limit.</exception>
    public static void CheckValues(string name, ReadOnlySpan<float> values, float limit)
    {
        for (var i = 0; i < values.Length; i++)
        {
            // Written so that NaN fails too.
            if (!(MathF.Abs(values[i]) <= limit))
                throw new ArtifactException($"{ModelArtifact.WeightsFile}: tensor '{name}' holds {values[i]} at position {i}; only numbers from -{limit} to {limit} are read. The training run diverged: train again with a lower learning rate.");
        }
    }
}
