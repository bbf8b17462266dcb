using GrpcRec.Engine.Models;

namespace GrpcRec.Training.Evaluation;

/// <summary>
/// A new version of an artefact that runs in another precision. Its weights are the same file, in float32: every engine derives its
/// own packed form at load (docs/adr/0006).
/// </summary>
public sealed class PrecisionWriter
{
    private readonly ModelArtifact _artifact;
    private readonly string _directory;
    private readonly ModelManifest _manifest;
    private readonly IReadOnlyDictionary<string, WeightTensor> _tensors;

    /// <summary>Refuses what could not be written before anything is measured.</summary>
    /// <param name="artifact">Whose weights it will have.</param>
    /// <param name="directory">Must not exist.</param>
    /// <exception cref="ArtifactException">The version is not a name, the directory exists, or the model has no other precision.</exception>
    public PrecisionWriter(ModelArtifact artifact, string directory, string version)
    {
        ArgumentNullException.ThrowIfNull(artifact);
        if (artifact.Manifest.Encoder.Kind == EncoderKind.Counts)
            throw new ArtifactException("the model is one of counts: it has no products that a lower precision would make faster, so serve it as it is");
        (_artifact, _directory) = (artifact, directory);
        _manifest = artifact.Manifest with { Version = version };
        _tensors = ModelTensors.Expected(_manifest).ToDictionary(t => t.Key, t => new WeightTensor(t.Value, artifact.Weights(t.Key).ToArray()));
        ModelArtifact.Create(_manifest, artifact.Items, _tensors);
        if (Path.Exists(directory))
            throw new ArtifactException($"version {version} exists already, and an artefact is never overwritten: choose another version");
    }

    /// <summary>Writes it, whole or not at all, and reads it back.</summary>
    /// <param name="metrics">On the test split, in that precision.</param>
    /// <exception cref="ArtifactException">It cannot be written.</exception>
    public ModelManifest Write(PrecisionManifest precision, IReadOnlyDictionary<string, double> metrics, DateTimeOffset now)
    {
        ModelArtifact.Write(_directory, _manifest with { Precision = precision, Metrics = metrics, CreatedAt = now }, _artifact.Items, _tensors);
        return ModelArtifact.Load(_directory).Manifest;
    }
}
