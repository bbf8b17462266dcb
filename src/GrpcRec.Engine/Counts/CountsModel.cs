using System.Runtime.CompilerServices;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;

namespace GrpcRec.Engine.Counts;

/// <summary>An artefact of kind counts as its engines read it, immutable and shared by them: 12 bytes an item beside the artefact's own.</summary>
internal sealed class CountsModel
{
    private static readonly ConditionalWeakTable<ModelArtifact, CountsModel> Models = [];

    private readonly int[] _offsets, _items;
    private readonly float[] _weights, _decays;

    private CountsModel(ModelArtifact artifact)
    {
        var manifest = artifact.Manifest;
        var counts = manifest.Encoder.Counts!;
        Reach = manifest.Encoder.HiddenSize;
        _decays = new float[Reach];
        _decays[0] = 1;
        for (var n = 1; n < Reach; n++)
            _decays[n] = _decays[n - 1] * (float)counts.Decay;
        var hasNeighbours = counts.Neighbours > 0;
        _offsets = hasNeighbours ? artifact.Indices(CountsManifest.NeighbourOffset).Data : [];
        _items = hasNeighbours ? artifact.Indices(CountsManifest.NeighbourItem).Data : [];
        _weights = hasNeighbours ? artifact.WeightArray(CountsManifest.NeighbourWeight) : [];
        for (var item = 0; hasNeighbours && item < manifest.CatalogSize; item++)
            LongestRow = Math.Max(LongestRow, _offsets[item + 1] - _offsets[item]);
        ItemBiases = manifest.Tasks.Where(task => task.Kind == TaskKind.Binary)
            .ToDictionary(task => task.Name, task => artifact.WeightArray(ModelTensors.TaskItemBias(task.Name)), StringComparer.Ordinal);
        Categories = new CategoryIndex(artifact.Items, manifest.Categories.Count);

        var items = artifact.Items.Items;
        ByPopularity = [.. Enumerable.Range(0, items.Count).OrderByDescending(item => items[item].Count).ThenBy(item => item)];
        Places = new int[items.Count];
        for (var place = 0; place < items.Count; place++)
            Places[ByPopularity[place]] = place;
        var total = items.Sum(item => item.Count + 1.0);
        LogShares = [.. items.Select(item => (float)Math.Log((item.Count + 1.0) / total))];
    }

    /// <summary>Events that are remembered.</summary>
    public int Reach { get; }

    public int LongestRow { get; }

    /// <summary>[V] dense ids, the most popular first.</summary>
    public int[] ByPopularity { get; }

    /// <summary>[V] each item's place among them.</summary>
    public int[] Places { get; }

    /// <summary>[V] what an item scores that is nobody's neighbour, at most 0.</summary>
    public float[] LogShares { get; }

    /// <summary>[V] logits by binary task.</summary>
    public IReadOnlyDictionary<string, float[]> ItemBiases { get; }

    public CategoryIndex Categories { get; }

    public static CountsModel Of(ModelArtifact artifact) => Models.GetValue(artifact, made => new CountsModel(made));

    /// <summary>What an event weighs.</summary>
    /// <param name="age">0: the last.</param>
    public float Decay(int age) => _decays[age];

    public ReadOnlySpan<int> Neighbours(int item) => _offsets.Length == 0 ? [] : _items.AsSpan(_offsets[item].._offsets[item + 1]);

    /// <summary>Above 0, of the same neighbours.</summary>
    public ReadOnlySpan<float> Weights(int item) => _offsets.Length == 0 ? [] : _weights.AsSpan(_offsets[item].._offsets[item + 1]);
}
