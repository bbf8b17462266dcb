using GrpcRec.Engine.Cuda.Driver;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cuda;

/// <summary>An artefact's weights in device memory, shared by its engines.</summary>
internal sealed class CudaModel : IDisposable
{
    private const int RowsThreads = 256, RowsElements = 1024;

    private readonly CudaLoad _load;

    /// <exception cref="EngineException">The model does not fit, or is of a kind that the engine does not run.</exception>
    public CudaModel(ModelArtifact artifact, EngineOptions options)
    {
        Context = CudaContext.Acquire(options.Cuda.Device);
        CudaModule? module = null;
        CudaLoad? load = null;
        try
        {
            Shape = CudaShape.Of(artifact.Manifest, options, Context);
            var budget = new DeviceBudget(options.Cuda.MemoryBudgetBytes > 0 ? options.Cuda.MemoryBudgetBytes : Context.FreeBytes() / 10 * 9);
            Module = module = new CudaModule(Context, options.Cuda.KernelsPath);
            _load = load = new CudaLoad(Context, module, budget);
            Layout = new HeadLayout(artifact.Manifest);
            Artifact = artifact;
            int v = artifact.Manifest.CatalogSize, e = artifact.Manifest.Encoder.EmbeddingSize;
            Items = load.UploadPadded(artifact.Weights(ModelTensors.ItemEmbedding), e, Shape.EmbeddingPadded, "the item embedding");
            Layers = [.. Enumerable.Range(0, Shape.Layers).Select(layer => CudaLayer.Create(load, artifact, Shape, layer, Items, options.GateTableBudgetBytes))];
            Heads = new CudaHeadWeights(load, artifact, Layout);
            Categories = new CategoryIndex(artifact.Items, artifact.Manifest.Categories.Count);
            if (Layout.HasNextItem)
                AddCatalog(artifact, v, e);
        }
        catch
        {
            load?.Dispose();
            module?.Dispose();
            Context.Release();
            throw;
        }
    }

    public CudaContext Context { get; }

    public CudaModule Module { get; }

    public DeviceBudget Budget => _load.Budget;

    public CudaShape Shape { get; }

    public ModelArtifact Artifact { get; }

    public HeadLayout Layout { get; }

    public CudaLayer[] Layers { get; }

    public CudaHeadWeights Heads { get; }

    public CategoryIndex Categories { get; }

    /// <summary>[V, Ep] f32 input embeddings.</summary>
    public ulong Items { get; }

    /// <summary>[V, Ep] f32 output embeddings: the input's where they are tied.</summary>
    public ulong OutputItems { get; private set; }

    /// <summary>[V, Ep] f16 output embeddings.</summary>
    public ulong OutputItemsHalf { get; private set; }

    /// <summary>[V].</summary>
    public ulong ItemBias { get; private set; }

    /// <summary>At least every output embedding's Euclidean norm.</summary>
    public float MaxItemNorm { get; private set; }

    /// <summary>Of weights and tables.</summary>
    public long Bytes => _load.Bytes;

    /// <summary>Of that, what grows with the catalogue: each item's embeddings, its bias and its row of gates.</summary>
    public long BytesPerItem
    {
        get
        {
            var gates = Layers[0].ItemRows == 0 ? 0 : 4L * Shape.HiddenPadded * Shape.Element.GateRows().Bytes();
            long input = Shape.EmbeddingPadded * sizeof(float), output = OutputItems == Items ? 0 : input, half = Shape.EmbeddingPadded * 2;
            return gates + input + (Layout.HasNextItem ? output + half + sizeof(float) : 0);
        }
    }

    public void Dispose()
    {
        _load.Dispose();
        Module.Dispose();
        Context.Release();
    }

    private void AddCatalog(ModelArtifact artifact, int v, int e)
    {
        var tied = artifact.Manifest.Encoder.TiedItemEmbedding;
        var rows = artifact.Weights(tied ? ModelTensors.ItemEmbedding : ModelTensors.NextItemEmbedding);
        OutputItems = tied ? Items : _load.UploadPadded(rows, e, Shape.EmbeddingPadded, "the output embedding");
        ItemBias = _load.Upload(artifact.Weights(ModelTensors.NextItemBias), "the items' bias");
        double largest = 0;
        for (var item = 0; item < v; item++)
        {
            double sum = 0;
            foreach (var value in rows.Slice(item * e, e))
                sum += (double)value * value;
            largest = Math.Max(largest, sum);
        }

        MaxItemNorm = (float)(Math.Sqrt(largest) * 1.000001);
        OutputItemsHalf = _load.Allocate((long)v * Shape.EmbeddingPadded * 2, "the catalogue");
        var round = Module.Function("gr_rows_f16", RowsThreads);
        using var scope = Context.Enter();
        // A launch takes fewer than 2^31 elements.
        var perLaunch = (1 << 30) / Shape.EmbeddingPadded;
        for (var first = 0; first < v; first += perLaunch)
        {
            var count = Math.Min(perLaunch, v - first);
            var offset = (ulong)first * (ulong)Shape.EmbeddingPadded;
            round.Launch(
                _load.Stream, DenseLayer.Ceiling(count * Shape.EmbeddingPadded, RowsElements), 1,
                new RowsArguments { In = OutputItems + (offset * 4), Out = OutputItemsHalf + (offset * 2), Count = count, Width = Shape.EmbeddingPadded });
        }

        _load.Stream.Synchronize();
    }
}
