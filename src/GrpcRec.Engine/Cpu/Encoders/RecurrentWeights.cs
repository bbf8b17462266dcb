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
        var events = new EventEmbedding(artifact);
        (Hidden, Layers, Embedding) = (encoder.HiddenSize, encoder.Layers, events.ItemWidth);
        Units = PackedMatrix.PaddedUnits(Hidden);
        ItemEmbedding = events.Items;
        Below = new RecurrentProduct?[Layers];
        _gateStarts = new AlignedBuffer[Layers];

        // 1. The first layer: columns of the item and of the kind apart, so that each is a table of its own.
        var input = artifact.WeightArray(ModelTensors.InputWeight(0, encoder.Kind));
        var itemColumns = Columns(input, events.Width, 0, Embedding);
        var bias = PackBias(artifact.WeightArray(ModelTensors.Bias(0, encoder.Kind)));
        ReadsKinds = events.KindWidth > 0;
        _gateStarts[0] = bias;
        if (ReadsKinds)
        {
            using var projection = PackedMatrix.FromGates(layout, Columns(input, events.Width, Embedding, events.KindWidth));
            _gateStarts[0] = CpuModel.Tabulate(kernel, events.Kinds, events.KindWidth, projection, bias.Pointer);
            bias.Dispose();
        }

        var items = PackedMatrix.FromGates(layout, itemColumns);
        if ((long)artifact.Manifest.CatalogSize * GateWidth * sizeof(float) <= tableBudgetBytes)
        {
            // Without kinds the bias goes into the table, and a step adds nothing to what it gathers.
            using var zero = new AlignedBuffer(GateWidth);
            _gateTable = CpuModel.Tabulate(kernel, ItemEmbedding, Embedding, items, ReadsKinds ? zero.Pointer : bias.Pointer);
            items.Dispose();
            ItemEmbedding = [];
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

    /// <summary>Columns that an event reads of its item: E and what its category adds.</summary>
    public int Embedding { get; }

    /// <summary>[V, Embedding] what an event reads of its item; empty where the gate table holds all that comes of it.</summary>
    public float[] ItemEmbedding { get; }

    /// <summary>An event's kind has columns: its behaviour or another feature.</summary>
    public bool ReadsKinds { get; }

    /// <summary>[Embedding, GateWidth] the items' part of the first layer; null where the gate table holds it.</summary>
    public PackedMatrix? Items { get; }

    /// <summary>By layer: what it reads of the one below; null in the first.</summary>
    public RecurrentProduct?[] Below { get; }

    /// <summary>Floats of a row of gates.</summary>
    public int GateWidth => Layout.Width;

    /// <summary>[layers, Parts, Units]: h of each layer, and an LSTM's c.</summary>
    public override int StateFloats => Layers * Parts * Units;

    public override bool HasItemTable => _gateTable is not null;

    public override long TableBytes => _gateTable?.Bytes ?? 0;

    /// <summary>[GateWidth] the item's part of the first layer's sums, and where the model reads no kinds its bias.</summary>
    public float* GateRow(int item) => _gateTable!.Pointer + ((long)item * GateWidth);

    /// <summary>[GateWidth] bias, and in the first layer the kind's part.</summary>
    public float* GateStart(int layer, int kind) =>
        _gateStarts[layer].Pointer + (layer == 0 && ReadsKinds ? (long)kind * GateWidth : 0);

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
