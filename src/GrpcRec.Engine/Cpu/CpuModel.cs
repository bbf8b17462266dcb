using GrpcRec.Engine.Cpu.Catalog;
using GrpcRec.Engine.Cpu.Encoders;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// A model's weights as the CPU engine reads them: packed, scaled, and with the projections of the embeddings tabulated as far as the
/// budget goes. Immutable; shared by the engines of an artefact through <see cref="CpuModelCache"/>.
/// </summary>
internal sealed unsafe class CpuModel : IDisposable
{
    public CpuModel(ModelArtifact artifact, EngineOptions options)
    {
        var before = AlignedBuffer.HeldByThread;
        (Hidden, Embedding) = (artifact.Manifest.Encoder.HiddenSize, artifact.Manifest.Encoder.EmbeddingSize);
        State = ModelTensors.StateWidth(artifact.Manifest);
        Kernel = BlockKernel.For(options.Path);
        ItemEmbedding = artifact.WeightArray(ModelTensors.ItemEmbedding);
        // Gates first, since every step reads them; the heads' tables may take what is left.
        Encoder = EncoderWeights.Create(artifact, options, options.GateTableBudgetBytes);
        Heads = new CpuHeadWeights(artifact, Kernel, options.GateTableBudgetBytes - Encoder.TableBytes);
        Catalog = CreateCatalog(artifact, options);
        ItemBytes = TableBytes + (Catalog is null ? 0 : Catalog.Items.Bytes + Catalog.ItemBias.Bytes + (Catalog.Codes?.Bytes ?? 0));
        Bytes = AlignedBuffer.HeldByThread - before;
    }

    public int Hidden { get; }

    /// <summary>H + R: the encoder's output and the embeddings of a request's features.</summary>
    public int State { get; }

    public int Embedding { get; }

    /// <summary>The instructions that everything of this model runs on.</summary>
    public BlockKernel Kernel { get; }

    /// <summary>[V, E].</summary>
    public float[] ItemEmbedding { get; }

    public EncoderWeights Encoder { get; }

    public CpuHeadWeights Heads { get; }

    /// <summary>Null when the model has no next_item task.</summary>
    public CatalogTable? Catalog { get; }

    public long TableBytes => Encoder.TableBytes + Heads.TableBytes;

    /// <summary>What grows with the catalogue.</summary>
    public long ItemBytes { get; }

    /// <summary>All that the model holds but the artefact's arrays.</summary>
    public long Bytes { get; }

    public void Dispose()
    {
        Encoder.Dispose();
        Heads.Dispose();
        Catalog?.Dispose();
    }

    private CatalogTable? CreateCatalog(ModelArtifact artifact, EngineOptions options)
    {
        if (Heads.NextItems is null)
            return null;
        var codes = CatalogTable.CreateCodes(options, Heads.NextEmbedding, artifact.WeightArray(ModelTensors.NextItemBias));
        var categories = new CategoryIndex(artifact.Items, artifact.Manifest.Categories.Count);
        return new CatalogTable(
            Kernel, Int8Paths.Resolve(options.Path), Heads.NextEmbedding, artifact.Manifest.CatalogSize, Heads.NextItems, Heads.NextItemBias!, codes, categories)
        {
            ItemsPerResult = CatalogTable.ItemsPerResultFor(options.Scan),
        };
    }

    /// <summary>[rows, width of the weights]: start + row·W for each row of an embedding.</summary>
    /// <param name="start">[width of the weights].</param>
    internal static AlignedBuffer Tabulate(BlockKernel kernel, float[] embedding, int depth, PackedMatrix weights, float* start)
    {
        const int tile = 48;
        var rows = embedding.Length / depth;
        var table = new AlignedBuffer((long)rows * weights.Width);
        var first = stackalloc float*[tile];
        for (var r = 0; r < tile; r++)
            first[r] = start;

        fixed (float* x = embedding)
        {
            for (var row = 0; row < rows; row += tile)
            {
                weights.Multiply(
                    kernel, x + ((long)row * depth), depth, Math.Min(tile, rows - row), first, null, table.Pointer + ((long)row * weights.Width), relu: false);
            }
        }

        return table;
    }
}
