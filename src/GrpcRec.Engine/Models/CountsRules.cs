using static GrpcRec.Engine.Models.ManifestRules;

namespace GrpcRec.Engine.Models;

/// <summary>What must hold of a model of kind counts: it bounds what an engine sums over for one request.</summary>
internal static class CountsRules
{
    private const string Weights = ModelArtifact.WeightsFile;

    /// <exception cref="ArtifactException">A field is past its bound, or two contradict each other.</exception>
    public static void Check(ModelManifest manifest, ArtifactLimits limits)
    {
        var encoder = manifest.Encoder;
        if (encoder.Counts is not { } counts)
            throw Bad("encoder.counts", "is required for the kind \"counts\"");
        Between("encoder.hidden_size", encoder.HiddenSize, 1, limits.MaxReach);
        var none = new EncoderManifest
        {
            Kind = EncoderKind.Counts, HiddenSize = encoder.HiddenSize, Counts = counts, GateOrder = "", FilterHeights = encoder.FilterHeights,
            EmbeddingSize = 0, BehaviorEmbeddingSize = 0, Layers = 0, TiedItemEmbedding = false, BottomSize = 0, TowerSize = 0,
        };
        if (encoder != none || encoder.FilterHeights.Count > 0)
            throw Bad("encoder", "of kind \"counts\" has the hidden_size that it remembers, and all other sizes are 0");
        if (!(counts.Decay > 0 && counts.Decay <= 1))
            throw Bad("encoder.counts.decay", "must be above 0 and at most 1");
        var ranks = manifest.Tasks.Any(task => task?.Kind == TaskKind.NextItem);
        Between("encoder.counts.neighbours", counts.Neighbours, 0, ranks ? limits.MaxNeighbours : 0);
        if (manifest.EventFeatures.Count > 0 || manifest.RequestFeatures.Count > 0)
            throw Bad("event_features, request_features", "must be empty: an encoder of kind \"counts\" reads items alone");
        foreach (var task in manifest.Tasks)
        {
            if (task is not ({ Kind: TaskKind.NextItem } or { Kind: TaskKind.Binary, NeedsCandidate: true, Given: null, ItemBias: true }))
                throw Bad("tasks", "of an encoder of kind \"counts\" are next_item, and binary ones of a candidate with an item_bias that need no other's outcome first");
        }
    }

    public static Dictionary<string, int[]> Expected(ModelManifest manifest)
    {
        var shapes = manifest.Tasks.Where(task => task.Kind == TaskKind.Binary).ToDictionary(task => ModelTensors.TaskItemBias(task.Name), _ => (int[])[manifest.CatalogSize]);
        if (manifest.Encoder.Counts is { Neighbours: > 0 } counts)
            shapes[CountsManifest.NeighbourWeight] = [counts.Neighbours];
        return shapes;
    }

    public static Dictionary<string, int[]> ExpectedIndices(ModelManifest manifest) => manifest.Encoder.Counts is not { Neighbours: > 0 } counts ? [] : new()
    {
        [CountsManifest.NeighbourOffset] = [manifest.CatalogSize + 1],
        [CountsManifest.NeighbourItem] = [counts.Neighbours],
    };

    /// <summary>Offsets ascend and end where the neighbours do, ids are of the catalogue, weights above 0. The shapes are checked already.</summary>
    /// <exception cref="ArtifactException">One is not so.</exception>
    public static void CheckValues(
        ModelManifest manifest, IReadOnlyDictionary<string, WeightTensor> tensors, IReadOnlyDictionary<string, IndexTensor> indices, ArtifactLimits limits)
    {
        foreach (var (name, tensor) in indices)
        {
            if (tensor.Data.Length != tensor.Shape[0])
                throw new ArtifactException($"{Weights}: tensor '{name}' {WeightTensor.Describe(tensor.Shape)} has {tensor.Data.Length} numbers instead of {tensor.Shape[0]}");
        }

        if (manifest.Encoder.Counts is not { Neighbours: > 0 } counts)
            return;
        var offsets = indices[CountsManifest.NeighbourOffset].Data;
        if (offsets[0] != 0 || offsets[^1] != counts.Neighbours)
            throw new ArtifactException($"{Weights}: tensor '{CountsManifest.NeighbourOffset}' goes from {offsets[0]} to {offsets[^1]}; 0 to {counts.Neighbours} is due");
        for (var item = 0; item < manifest.CatalogSize; item++)
        {
            var count = (long)offsets[item + 1] - offsets[item];
            if (count < 0 || count > limits.MaxNeighboursOfItem)
                throw new ArtifactException($"{Weights}: tensor '{CountsManifest.NeighbourOffset}' gives item {item} {count} neighbours; 0 to {limits.MaxNeighboursOfItem} are allowed");
        }

        foreach (var item in indices[CountsManifest.NeighbourItem].Data)
        {
            if ((uint)item >= (uint)manifest.CatalogSize)
                throw new ArtifactException($"{Weights}: tensor '{CountsManifest.NeighbourItem}' holds item {item}; 0 to {manifest.CatalogSize - 1} are allowed");
        }

        foreach (var weight in tensors[CountsManifest.NeighbourWeight].Data)
        {
            if (!(weight > 0))
                throw new ArtifactException($"{Weights}: tensor '{CountsManifest.NeighbourWeight}' holds {weight}; weights are above 0");
        }
    }
}
