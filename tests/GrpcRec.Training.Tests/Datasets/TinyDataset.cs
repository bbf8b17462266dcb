using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.Tests.Datasets;

/// <summary>Data sets of a few events, written out in the test that uses them.</summary>
internal static class TinyDataset
{
    /// <summary>Sequences of item ids; other columns by event, over all sequences in order. Times are the position unless given.</summary>
    public static SequenceDataset Of(
        int[][] sequences,
        int items,
        string[]? behaviors = null,
        byte[]? behaviorIds = null,
        long[]? times = null,
        float[]? values = null,
        string[]? categories = null,
        int[]? itemCategories = null,
        Dictionary<string, float[]>? labels = null,
        Dictionary<string, ContextColumn>? contexts = null)
    {
        var n = sequences.Sum(s => s.Length);
        var offsets = new int[sequences.Length + 1];
        for (var s = 0; s < sequences.Length; s++)
            offsets[s + 1] = offsets[s] + sequences[s].Length;
        return new SequenceDataset
        {
            Items = new ItemCatalog([.. Enumerable.Range(0, items).Select(i => new CatalogItem("i" + i, 0, itemCategories?[i] ?? -1))]),
            Behaviors = behaviors ?? ["event"],
            Categories = categories ?? [],
            SequenceKeys = [.. Enumerable.Range(0, sequences.Length).Select(s => "u" + s)],
            Offsets = offsets,
            ItemIds = [.. sequences.SelectMany(s => s)],
            BehaviorIds = behaviorIds ?? new byte[n],
            TimestampsMs = times ?? [.. Enumerable.Range(0, n).Select(t => (long)t)],
            Values = values ?? [.. Enumerable.Repeat(float.NaN, n)],
            Labels = labels ?? [],
            Contexts = contexts ?? [],
            Roles = [.. Enumerable.Repeat(SplitRole.None, n)],
            Fingerprint = new DataFingerprint(new string('0', 64), n, sequences.Length),
        };
    }
}
