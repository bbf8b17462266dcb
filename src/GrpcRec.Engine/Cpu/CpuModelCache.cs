using System.Runtime.CompilerServices;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// Packed weights by artefact, so that the engines of one artefact share them; freed with the last engine. One entry for each
/// choice of what is packed and tabulated.
/// </summary>
internal static class CpuModelCache
{
    private static readonly ConditionalWeakTable<ModelArtifact, Dictionary<Key, Entry>> Entries = [];

    public static CpuModel Acquire(ModelArtifact artifact, EngineOptions options)
    {
        var entries = Entries.GetOrCreateValue(artifact);
        var key = Key.Of(options);
        lock (entries)
        {
            if (!entries.TryGetValue(key, out var entry))
                entries.Add(key, entry = new Entry(new CpuModel(artifact, options)));
            entry.Users++;
            return entry.Model;
        }
    }

    public static void Release(ModelArtifact artifact, EngineOptions options)
    {
        var entries = Entries.GetOrCreateValue(artifact);
        var key = Key.Of(options);
        lock (entries)
        {
            var entry = entries[key];
            if (--entry.Users > 0)
                return;
            entries.Remove(key);
            entry.Model.Dispose();
        }
    }

    private readonly record struct Key(long TableBudgetBytes, KernelPath Path, Precision? Precision, ScanKind Scan, long ScanBudgetBytes)
    {
        public static Key Of(EngineOptions options) => new(options.GateTableBudgetBytes, options.Path, options.Precision, options.Scan, options.ScanTableBudgetBytes);
    }

    private sealed class Entry(CpuModel model)
    {
        public CpuModel Model { get; } = model;

        public int Users { get; set; }
    }
}
