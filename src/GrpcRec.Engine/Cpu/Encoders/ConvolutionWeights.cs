using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>A convolution's filters, packed for windows whose rows are padded to whole vectors, and its output layer.</summary>
internal sealed unsafe class ConvolutionWeights : EncoderWeights
{
    private readonly AlignedBuffer[] _biases;
    private readonly AlignedBuffer _outputBias;

    public ConvolutionWeights(ModelArtifact artifact, BlockKernel kernel)
    {
        var encoder = artifact.Manifest.Encoder;
        Kernel = kernel;
        Events = new EventEmbedding(artifact);
        Hidden = encoder.HiddenSize;
        Window = encoder.WindowLength;
        Heights = [.. encoder.FilterHeights];
        HorizontalFilters = encoder.HorizontalFilters;
        VerticalFilters = encoder.VerticalFilters;
        RowWidth = PackedMatrix.PaddedUnits(Events.Width);
        Horizontal = [.. Heights.Select(height => PackedMatrix.FromRows(HorizontalFilters, Padded(artifact.WeightArray(ModelTensors.HorizontalWeight(height)))))];
        _biases = [.. Heights.Select(height => Bias(artifact.WeightArray(ModelTensors.HorizontalBias(height)), 1))];
        Vertical = VerticalFilters > 0 ? artifact.WeightArray(ModelTensors.VerticalWeight) : [];
        Output = PackedMatrix.FromGates(GateLayout.Single(Hidden), artifact.WeightArray(ModelTensors.ConvolutionOutputWeight));
        _outputBias = Bias(artifact.WeightArray(ModelTensors.ConvolutionOutputBias), TanhActivation.Scale);
    }

    public BlockKernel Kernel { get; }

    public EventEmbedding Events { get; }

    public int Hidden { get; }

    /// <summary>L.</summary>
    public int Window { get; }

    public int[] Heights { get; }

    /// <summary>F, of each height.</summary>
    public int HorizontalFilters { get; }

    /// <summary>Fv.</summary>
    public int VerticalFilters { get; }

    /// <summary>I padded to whole vectors.</summary>
    public int RowWidth { get; }

    /// <summary>By height: reads that many rows of a window, one behind the other.</summary>
    public PackedMatrix[] Horizontal { get; }

    /// <summary>[Fv, L].</summary>
    public float[] Vertical { get; }

    /// <summary>Reads the horizontal filters' maxima, heights ascending, then the vertical filters' sums. Scaled for <see cref="TanhActivation"/>.</summary>
    public PackedMatrix Output { get; }

    /// <summary>[Output.Width].</summary>
    public float* OutputBias => _outputBias.Pointer;

    public override int StateFloats => ConvolutionEncoder.StateFloats(this);

    public override bool HasItemTable => false;

    public override long TableBytes => 0;

    /// <summary>[Horizontal.Width].</summary>
    /// <param name="index">Of the height.</param>
    public float* HorizontalBias(int index) => _biases[index].Pointer;

    public override CpuEncoder CreateEncoder() => new ConvolutionEncoder(this);

    public override void Dispose()
    {
        foreach (var filters in Horizontal)
            filters.Dispose();
        foreach (var bias in _biases)
            bias.Dispose();
        Output.Dispose();
        _outputBias.Dispose();
    }

    /// <summary>Rows of I columns to rows of <see cref="RowWidth"/>, zeros behind.</summary>
    private float[] Padded(float[] weights)
    {
        var rows = weights.Length / Events.Width;
        var padded = new float[checked(rows * RowWidth)];
        for (var row = 0; row < rows; row++)
            weights.AsSpan(row * Events.Width, Events.Width).CopyTo(padded.AsSpan(row * RowWidth));
        return padded;
    }

    private static AlignedBuffer Bias(float[] bias, float scale)
    {
        var packed = new AlignedBuffer(PackedMatrix.PaddedWidth(bias.Length));
        for (var k = 0; k < bias.Length; k++)
            packed.Pointer[k] = bias[k] * scale;
        return packed;
    }
}
