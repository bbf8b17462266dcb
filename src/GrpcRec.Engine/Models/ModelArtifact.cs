namespace GrpcRec.Engine.Models;

/// <summary>
/// A trained model: manifest, catalogue and weights, verified as a whole and immutable. On disk it is a directory of three files. The
/// weights are data: no pickle, no code, sizes bounded before memory is taken. Engines share one artefact; none writes to it.
/// </summary>
public sealed class ModelArtifact
{
    public const string ManifestFile = "manifest.json";
    public const string WeightsFile = "weights.safetensors";
    public const string ItemsFile = "items.jsonl";

    private readonly IReadOnlyDictionary<string, WeightTensor> _tensors;
    private readonly IReadOnlyDictionary<string, IndexTensor> _indices;

    private ModelArtifact(
        ModelManifest manifest, ItemCatalog items, IReadOnlyDictionary<string, WeightTensor> tensors, IReadOnlyDictionary<string, IndexTensor> indices)
    {
        Manifest = manifest;
        Items = items;
        _tensors = tensors;
        _indices = indices;
    }

    public ModelManifest Manifest { get; }

    public ItemCatalog Items { get; }

    /// <summary>Names and order of no meaning; exactly <see cref="ModelTensors.Expected"/>.</summary>
    public IEnumerable<string> TensorNames => _tensors.Keys;

    /// <summary>Those of whole numbers. Only a model of kind counts has any; see <see cref="CountsManifest"/>.</summary>
    public IEnumerable<string> IndexNames => _indices.Keys;

    /// <exception cref="KeyNotFoundException">The model has no such tensor.</exception>
    public IndexTensor Indices(string tensor) => _indices[tensor];

    /// <summary>[shape of the tensor], row-major.</summary>
    /// <exception cref="KeyNotFoundException">The model has no such tensor.</exception>
    public ReadOnlySpan<float> Weights(string tensor) => _tensors[tensor].Data;

    /// <exception cref="KeyNotFoundException">The model has no such tensor.</exception>
    public ReadOnlySpan<int> Shape(string tensor) => _tensors[tensor].Shape;

    /// <summary>The array itself, for engines that pin or pack it. Not to be written.</summary>
    internal float[] WeightArray(string tensor) => _tensors[tensor].Data;

    public bool HasTensor(string tensor) => _tensors.ContainsKey(tensor);

    /// <summary>An artefact in memory, held to the same rules as one that is read. The arrays are taken, not copied.</summary>
    /// <exception cref="ArtifactException">A rule is broken.</exception>
    public static ModelArtifact Create(
        ModelManifest manifest, ItemCatalog items, IReadOnlyDictionary<string, WeightTensor> tensors, ArtifactLimits? limits = null,
        IReadOnlyDictionary<string, IndexTensor>? indices = null)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(tensors);
        limits ??= ArtifactLimits.Default;
        indices ??= new Dictionary<string, IndexTensor>();
        ManifestRules.Check(manifest, limits);
        CatalogFile.Check(items.Items, manifest, limits);
        TensorRules.CheckShapes(manifest, tensors.Select(tensor => KeyValuePair.Create(tensor.Key, tensor.Value.Shape)));
        TensorRules.CheckIndexShapes(manifest, indices.Select(tensor => KeyValuePair.Create(tensor.Key, tensor.Value.Shape)));
        foreach (var (name, tensor) in tensors)
        {
            var elements = tensor.Shape.Aggregate(1L, (product, size) => product * size);
            if (tensor.Data.Length != elements)
                throw new ArtifactException($"{WeightsFile}: tensor '{name}' {WeightTensor.Describe(tensor.Shape)} has {tensor.Data.Length} numbers instead of {elements}");
            TensorRules.CheckValues(name, tensor.Data, limits.MagnitudeOf(manifest));
        }

        CountsRules.CheckValues(manifest, tensors, indices, limits);
        return new ModelArtifact(manifest, items, tensors, indices);
    }

    /// <summary>Reads a directory that <see cref="Write"/> made, and verifies all of it.</summary>
    /// <exception cref="ArtifactException">A file is missing, damaged, of another format or past a limit.</exception>
    public static ModelArtifact Load(string directory, ArtifactLimits? limits = null)
    {
        var (manifest, items, tensors, indices) = ArtifactReader.Read(directory, limits ?? ArtifactLimits.Default);
        return new ModelArtifact(manifest, items, tensors, indices);
    }

    /// <summary>The manifest alone, checked against its own rules: enough to list a version, not to trust its weights.</summary>
    /// <exception cref="ArtifactException">It is missing, damaged, of another format or past a limit.</exception>
    public static ModelManifest ReadManifest(string directory, ArtifactLimits? limits = null) =>
        ArtifactReader.ReadManifest(directory, limits ?? ArtifactLimits.Default);

    /// <summary>
    /// Writes an artefact into a new directory, whole or not at all. <see cref="ModelManifest.Files"/> and
    /// <see cref="ModelManifest.ParameterCount"/> are filled in here.
    /// </summary>
    /// <exception cref="ArtifactException">A rule is broken, the directory exists, or it cannot be written.</exception>
    public static void Write(
        string directory, ModelManifest manifest, ItemCatalog items, IReadOnlyDictionary<string, WeightTensor> tensors, ArtifactLimits? limits = null,
        IReadOnlyDictionary<string, IndexTensor>? indices = null) =>
        ArtifactWriter.Write(directory, Create(manifest, items, tensors, limits, indices), tensors);
}
