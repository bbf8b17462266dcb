using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>
/// What all recurrent kinds have in common: the inputs' part of each layer's sums, packed, scaled for the activation, and in the first
/// layer tabulated by item where the budget allows.
/// </summary>
internal abstract unsafe class RecurrentWeights : EncoderWeights
{
    private readonly AlignedBuffer[] _gateStarts;
    private readonly AlignedBuffer? _gateTable;

    /// <param name="layout">Of a layer's sums.</param>
    /// <param name="parts">Rows of <see cref="Units"/> that a layer's state has: the hidden state, an LSTM's cell.</param>
    /// <param name="precision">
    /// Of the products with hidden states; bfloat16 of those with a layer's own state alone, since those with the states below are many rows at once.
    /// </param>
    protected RecurrentWeights(ModelArtifact artifact, BlockKernel kernel, GateLayout layout, int parts, long tableBudgetBytes, Precision precision, Int8Path path)
    {
        var encoder = artifact.Manifest.Encoder;
        (Kernel, Precision, Path) = (kernel, precision, path);
        Layout = layout;
        Parts = parts;
        (Hidden, Layers, Embedding) = (encoder.HiddenSize, encoder.Layers, encoder.EmbeddingSize);
        Units = PackedMatrix.PaddedUnits(Hidden);
        ItemEmbedding = artifact.WeightArray(ModelTensors.ItemEmbedding);
        Below = new RecurrentProduct?[Layers];
        _gateStarts = new AlignedBuffer[Layers];

        // 1. The first layer: item and behaviour columns apart, so that each is a table of its own.
        var input = artifact.WeightArray(ModelTensors.InputWeight(0, encoder.Kind));
        var itemColumns = Columns(input, Embedding + encoder.BehaviorEmbeddingSize, 0, Embedding);
        var bias = PackBias(artifact.WeightArray(ModelTensors.Bias(0, encoder.Kind)));
        ReadsBehaviors = encoder.BehaviorEmbeddingSize > 0;
        _gateStarts[0] = bias;
        if (ReadsBehaviors)
        {
            using var projection = PackedMatrix.FromGates(layout, Columns(input, Embedding + encoder.BehaviorEmbeddingSize, Embedding, encoder.BehaviorEmbeddingSize));
            _gateStarts[0] = CpuModel.Tabulate(kernel, artifact.WeightArray(ModelTensors.BehaviorEmbedding), encoder.BehaviorEmbeddingSize, projection, bias.Pointer);
            bias.Dispose();
        }

        var items = PackedMatrix.FromGates(layout, itemColumns);
        if ((long)artifact.Manifest.CatalogSize * GateWidth * sizeof(float) <= tableBudgetBytes)
        {
            // Without behaviours the bias goes into the table, and a step adds nothing to what it gathers.
            using var zero = new AlignedBuffer(GateWidth);
            _gateTable = CpuModel.Tabulate(kernel, ItemEmbedding, Embedding, items, ReadsBehaviors ? zero.Pointer : bias.Pointer);
            items.Dispose();
        }
        else
        {
            Items = items;
        }

        // 2. What the layers above read of the one below.
        for (var layer = 1; layer < Layers; layer++)
        {
            var weights = artifact.WeightArray(ModelTensors.InputWeight(layer, encoder.Kind));
            Below[layer] = RecurrentProduct.Create(precision == Precision.Int8 ? precision : Precision.Float32, kernel, path, layout, weights);
            _gateStarts[layer] = PackBias(artifact.WeightArray(ModelTensors.Bias(layer, encoder.Kind)));
        }
    }

    public BlockKernel Kernel { get; }

    /// <summary>Instructions of integer products.</summary>
    public Int8Path Path { get; }

    public override Precision Precision { get; }

    public GateLayout Layout { get; }

    /// <summary>Rows of <see cref="Units"/> in a layer's state.</summary>
    public int Parts { get; }

    public int Hidden { get; }

    public int Layers { get; }

    /// <summary>H padded to whole vectors.</summary>
    public int Units { get; }

    public int Embedding { get; }

    /// <summary>[V, E].</summary>
    public float[] ItemEmbedding { get; }

    public bool ReadsBehaviors { get; }

    /// <summary>[E, GateWidth] the items' part of the first layer; null where the gate table holds it.</summary>
    public PackedMatrix? Items { get; }

    /// <summary>By layer: what it reads of the one below; null in the first.</summary>
    public RecurrentProduct?[] Below { get; }

    /// <summary>Floats of a row of gates.</summary>
    public int GateWidth => Layout.Width;

    /// <summary>[layers, Parts, Units]: h of each layer, and an LSTM's c.</summary>
    public override int StateFloats => Layers * Parts * Units;

    public override bool HasItemTable => _gateTable is not null;

    public override long TableBytes => _gateTable?.Bytes ?? 0;

    /// <summary>[GateWidth] the item's part of the first layer's sums, and where the model reads no behaviours its bias.</summary>
    public float* GateRow(int item) => _gateTable!.Pointer + ((long)item * GateWidth);

    /// <summary>[GateWidth] bias, and in the first layer the behaviour's part.</summary>
    public float* GateStart(int layer, int behavior) =>
        _gateStarts[layer].Pointer + (layer == 0 && ReadsBehaviors ? (long)behavior * GateWidth : 0);

    public override void Dispose()
    {
        _gateTable?.Dispose();
        Items?.Dispose();
        foreach (var gates in Below)
            gates?.Dispose();
        foreach (var starts in _gateStarts)
            starts.Dispose();
    }

    private AlignedBuffer PackBias(float[] bias)
    {
        var packed = new AlignedBuffer(GateWidth);
        for (var row = 0; row < bias.Length; row++)
            packed.Pointer[Layout.Column(row)] = bias[row] * Layout.Scale(row / Hidden);
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
