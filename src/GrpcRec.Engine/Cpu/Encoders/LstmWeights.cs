using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>An LSTM's gates, packed, scaled for <see cref="GateActivation"/>, and tabulated by item where the budget allows.</summary>
internal sealed unsafe class LstmWeights : EncoderWeights
{
    private readonly AlignedBuffer[] _gateStarts;
    private readonly AlignedBuffer? _gateTable;

    public LstmWeights(ModelArtifact artifact, BlockKernel kernel, long tableBudgetBytes)
    {
        var encoder = artifact.Manifest.Encoder;
        Kernel = kernel;
        (Hidden, Layers, Embedding) = (encoder.HiddenSize, encoder.Layers, encoder.EmbeddingSize);
        Units = PackedMatrix.PaddedUnits(Hidden);
        ItemEmbedding = artifact.WeightArray(ModelTensors.ItemEmbedding);
        Input = new PackedMatrix?[Layers];
        Recurrent = new PackedMatrix[Layers];
        _gateStarts = new AlignedBuffer[Layers];

        // 1. The first layer: item and behaviour columns apart, so that each is a table of its own.
        var input = artifact.WeightArray(ModelTensors.InputWeight(0));
        var itemColumns = Columns(input, Embedding + encoder.BehaviorEmbeddingSize, 0, Embedding);
        var bias = GateBias(artifact.WeightArray(ModelTensors.Bias(0)));
        ReadsBehaviors = encoder.BehaviorEmbeddingSize > 0;
        _gateStarts[0] = bias;
        if (ReadsBehaviors)
        {
            using var projection = PackedMatrix.FromGates(Hidden, Columns(input, Embedding + encoder.BehaviorEmbeddingSize, Embedding, encoder.BehaviorEmbeddingSize));
            _gateStarts[0] = CpuModel.Tabulate(kernel, artifact.WeightArray(ModelTensors.BehaviorEmbedding), encoder.BehaviorEmbeddingSize, projection, bias.Pointer);
            bias.Dispose();
        }

        var items = PackedMatrix.FromGates(Hidden, itemColumns);
        if ((long)artifact.Manifest.CatalogSize * Units * 4 * sizeof(float) <= tableBudgetBytes)
        {
            // Without behaviours the bias goes into the table, and a step adds nothing to what it gathers.
            using var zero = new AlignedBuffer(Units * 4);
            _gateTable = CpuModel.Tabulate(kernel, ItemEmbedding, Embedding, items, ReadsBehaviors ? zero.Pointer : bias.Pointer);
            items.Dispose();
        }
        else
        {
            Input[0] = items;
        }

        // 2. What each layer reads of itself, and the layers above of the one below.
        for (var layer = 0; layer < Layers; layer++)
        {
            Recurrent[layer] = PackedMatrix.FromGates(Hidden, artifact.WeightArray(ModelTensors.RecurrentWeight(layer)));
            if (layer == 0)
                continue;
            Input[layer] = PackedMatrix.FromGates(Hidden, artifact.WeightArray(ModelTensors.InputWeight(layer)));
            _gateStarts[layer] = GateBias(artifact.WeightArray(ModelTensors.Bias(layer)));
        }
    }

    public BlockKernel Kernel { get; }

    public int Hidden { get; }

    public int Layers { get; }

    /// <summary>H padded to whole vectors; a layer's state is h then c, each this long.</summary>
    public int Units { get; }

    public int Embedding { get; }

    /// <summary>[V, E].</summary>
    public float[] ItemEmbedding { get; }

    public bool ReadsBehaviors { get; }

    /// <summary>By layer; null in the first where the gate table holds its part.</summary>
    public PackedMatrix?[] Input { get; }

    public PackedMatrix[] Recurrent { get; }

    /// <summary>4·Units, floats of a row of gates.</summary>
    public int GateWidth => 4 * Units;

    /// <summary>[layers, 2, Units]: h and c of each layer.</summary>
    public override int StateFloats => Layers * 2 * Units;

    public override bool HasItemTable => _gateTable is not null;

    public override long TableBytes => _gateTable?.Bytes ?? 0;

    /// <summary>[GateWidth] the item's part of the first layer's sums, and where the model reads no behaviours its bias.</summary>
    public float* GateRow(int item) => _gateTable!.Pointer + ((long)item * GateWidth);

    /// <summary>[GateWidth] bias, and in the first layer the behaviour's part.</summary>
    public float* GateStart(int layer, int behavior) =>
        _gateStarts[layer].Pointer + (layer == 0 && ReadsBehaviors ? (long)behavior * GateWidth : 0);

    public override CpuEncoder CreateEncoder() => new LstmEncoder(this);

    public override void Dispose()
    {
        _gateTable?.Dispose();
        foreach (var gates in Input)
            gates?.Dispose();
        foreach (var gates in Recurrent)
            gates.Dispose();
        foreach (var starts in _gateStarts)
            starts.Dispose();
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
