using System.Runtime.CompilerServices;
using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// Packed weights by artefact, so that the engines of one artefact share them; freed with the last engine. One entry for each budget,
/// because the budget decides what is tabulated.
/// </summary>
internal static class CpuModelCache
{
    private static readonly ConditionalWeakTable<ModelArtifact, Dictionary<long, Entry>> Entries = [];

    public static CpuModel Acquire(ModelArtifact artifact, long tableBudgetBytes)
    {
        var entries = Entries.GetOrCreateValue(artifact);
        lock (entries)
        {
            if (!entries.TryGetValue(tableBudgetBytes, out var entry))
                entries.Add(tableBudgetBytes, entry = new Entry(new CpuModel(artifact, tableBudgetBytes)));
            entry.Users++;
            return entry.Model;
        }
    }

    public static void Release(ModelArtifact artifact, long tableBudgetBytes)
    {
        var entries = Entries.GetOrCreateValue(artifact);
        lock (entries)
        {
            var entry = entries[tableBudgetBytes];
            if (--entry.Users > 0)
                return;
            entries.Remove(tableBudgetBytes);
            entry.Model.Dispose();
        }
    }

    private sealed class Entry(CpuModel model)
    {
        public CpuModel Model { get; } = model;

        public int Users { get; set; }
    }
}
