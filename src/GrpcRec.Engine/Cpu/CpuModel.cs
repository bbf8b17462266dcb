using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// A model's weights as the CPU engine reads them: packed, scaled, and with the projections of the embeddings tabulated as far as the
/// budget goes. Immutable; shared by the engines of an artefact through <see cref="CpuModelCache"/>.
/// </summary>
internal sealed unsafe class CpuModel : IDisposable
{
    private readonly AlignedBuffer _zero;
    private readonly AlignedBuffer[] _gateStarts;
    private readonly AlignedBuffer? _gateTable;

    /// <param name="tableBudgetBytes">Memory for tables: gates first, since every step reads them, then the bottom's.</param>
    public CpuModel(ModelArtifact artifact, long tableBudgetBytes)
    {
        var encoder = artifact.Manifest.Encoder;
        (Hidden, Layers, Embedding) = (encoder.HiddenSize, encoder.Layers, encoder.EmbeddingSize);
        ItemEmbedding = artifact.WeightArray(ModelTensors.ItemEmbedding);
        Gates = new PackedMatrix[Layers];
        _gateStarts = new AlignedBuffer[Layers];
        var gateWidth = PackedMatrix.PaddedUnits(Hidden) * 4;
        _zero = new AlignedBuffer(Math.Max(gateWidth, PackedMatrix.PaddedWidth(Math.Max(Embedding, Math.Max(encoder.BottomSize, encoder.TowerSize)))));

        // 1. The first layer: item and behaviour columns apart, so that each is a table of its own.
        var input = artifact.WeightArray(ModelTensors.InputWeight(0));
        var itemColumns = Columns(input, Embedding + encoder.BehaviorEmbeddingSize, 0, Embedding);
        var recurrent = artifact.WeightArray(ModelTensors.RecurrentWeight(0));
        var tableBytes = (long)artifact.Manifest.CatalogSize * gateWidth * sizeof(float);
        if (tableBytes <= tableBudgetBytes)
        {
            using var projection = PackedMatrix.FromGates(Hidden, itemColumns);
            _gateTable = Tabulate(ItemEmbedding, Embedding, projection, Zero);
            tableBudgetBytes -= tableBytes;
            Gates[0] = PackedMatrix.FromGates(Hidden, recurrent);
        }
        else
        {
            Gates[0] = PackedMatrix.FromGates(Hidden, itemColumns, recurrent);
        }

        var bias = GateBias(artifact.WeightArray(ModelTensors.Bias(0)));
        if (encoder.BehaviorEmbeddingSize > 0)
        {
            using var projection = PackedMatrix.FromGates(Hidden, Columns(input, Embedding + encoder.BehaviorEmbeddingSize, Embedding, encoder.BehaviorEmbeddingSize));
            _gateStarts[0] = Tabulate(artifact.WeightArray(ModelTensors.BehaviorEmbedding), encoder.BehaviorEmbeddingSize, projection, bias.Pointer);
            bias.Dispose();
            ReadsBehaviors = true;
        }
        else
        {
            _gateStarts[0] = bias;
        }

        // 2. The layers above: one product over the state below and their own.
        for (var layer = 1; layer < Layers; layer++)
        {
            Gates[layer] = PackedMatrix.FromGates(
                Hidden, artifact.WeightArray(ModelTensors.InputWeight(layer)), artifact.WeightArray(ModelTensors.RecurrentWeight(layer)));
            _gateStarts[layer] = GateBias(artifact.WeightArray(ModelTensors.Bias(layer)));
        }

        Heads = new CpuHeadWeights(artifact, tableBudgetBytes, Zero);
    }

    public int Hidden { get; }

    public int Layers { get; }

    public int Embedding { get; }

    /// <summary>[V, E].</summary>
    public float[] ItemEmbedding { get; }

    public bool ReadsBehaviors { get; }

    /// <summary>By layer: input and recurrent weights side by side; recurrent alone where the gate table holds the input's part.</summary>
    public PackedMatrix[] Gates { get; }

    public CpuHeadWeights Heads { get; }

    public bool HasGateTable => _gateTable is not null;

    public long TableBytes => (_gateTable?.Bytes ?? 0) + Heads.TableBytes;

    /// <summary>As many zeros as the widest row of sums.</summary>
    public float* Zero => _zero.Pointer;

    /// <summary>[gate width] the item's part of the first layer's sums.</summary>
    public float* GateRow(int item) => _gateTable!.Pointer + ((long)item * Gates[0].Width);

    /// <summary>[gate width] bias, and in the first layer the behaviour's part.</summary>
    public float* GateStart(int layer, int behavior) =>
        _gateStarts[layer].Pointer + (layer == 0 && ReadsBehaviors ? (long)behavior * Gates[0].Width : 0);

    public void Dispose()
    {
        _zero.Dispose();
        _gateTable?.Dispose();
        Heads.Dispose();
        foreach (var gates in Gates)
            gates.Dispose();
        foreach (var starts in _gateStarts)
            starts.Dispose();
    }

    /// <summary>[rows, width of the weights]: start + row·W for each row of an embedding.</summary>
    /// <param name="start">[width of the weights].</param>
    internal static AlignedBuffer Tabulate(float[] embedding, int depth, PackedMatrix weights, float* start)
    {
        const int tile = 48;
        var rows = embedding.Length / depth;
        var table = new AlignedBuffer((long)rows * weights.Width);
        using var zero = new AlignedBuffer(weights.Width);
        using var z = new AlignedBuffer(BlockKernel.MaxRows * BlockKernel.Columns);
        var first = stackalloc float*[tile];
        var second = stackalloc float*[tile];
        for (var r = 0; r < tile; r++)
        {
            first[r] = start;
            second[r] = zero.Pointer;
        }

        fixed (float* x = embedding)
        {
            for (var row = 0; row < rows; row += tile)
            {
                weights.Multiply(
                    x + ((long)row * depth), depth, Math.Min(tile, rows - row), first, second, table.Pointer + ((long)row * weights.Width), relu: false, z.Pointer);
            }
        }

        return table;
    }

    private AlignedBuffer GateBias(float[] bias)
    {
        var packed = new AlignedBuffer(PackedMatrix.PaddedUnits(Hidden) * 4);
        for (var row = 0; row < bias.Length; row++)
            packed.Pointer[PackedMatrix.GateColumn(row, Hidden)] = bias[row] * GateActivation.Scale(row / Hidden);
        return packed;
    }

    /// <summary>Columns [begin, begin + count) of a row-major matrix of this width.</summary>
    private static float[] Columns(float[] matrix, int width, int begin, int count)
    {
        var rows = matrix.Length / width;
        var columns = new float[rows * count];
        for (var row = 0; row < rows; row++)
            matrix.AsSpan((row * width) + begin, count).CopyTo(columns.AsSpan(row * count));
        return columns;
    }
}
