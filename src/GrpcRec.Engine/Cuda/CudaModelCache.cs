using System.Runtime.CompilerServices;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cuda;

/// <summary>Uploaded models by artefact and by what was asked; freed with their last engine. One whose device was lost is not given out again.</summary>
internal static class CudaModelCache
{
    private static readonly ConditionalWeakTable<ModelArtifact, List<Entry>> Entries = [];

    public static CudaModel Acquire(ModelArtifact artifact, EngineOptions options)
    {
        var entries = Entries.GetOrCreateValue(artifact);
        var key = Key.Of(options);
        lock (entries)
        {
            var entry = entries.Find(one => one.Key == key && one.Model.Context.IsAlive);
            if (entry is null)
                entries.Add(entry = new Entry(key, new CudaModel(artifact, options)));
            entry.Users++;
            return entry.Model;
        }
    }

    public static void Release(CudaModel model)
    {
        var entries = Entries.GetOrCreateValue(model.Artifact);
        lock (entries)
        {
            var entry = entries.Find(one => one.Model == model)!;
            if (--entry.Users > 0)
                return;
            entries.Remove(entry);
            model.Dispose();
        }
    }

    private readonly record struct Key(long TableBudgetBytes, long MemoryBudgetBytes, int Device, CudaProduct Product, Precision? Precision, string Kernels)
    {
        public static Key Of(EngineOptions options) => new(
            options.GateTableBudgetBytes, options.Cuda.MemoryBudgetBytes, options.Cuda.Device, options.Cuda.Product, options.Precision, options.Cuda.KernelsPath);
    }

    private sealed class Entry(Key key, CudaModel model)
    {
        public Key Key => key;

        public CudaModel Model => model;

        public int Users { get; set; }
    }
}
