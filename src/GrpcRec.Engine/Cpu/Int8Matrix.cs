namespace GrpcRec.Engine.Cpu;

/// <summary>
/// Weights as signed bytes with one scale per output column, in the order in which <see cref="Int8Kernel"/> reads them. Inputs are
/// bytes with a zero point: u = round(x / inputScale) + <see cref="ZeroPoint"/>, so x·w ≈ inputScale · Scale[j] · (Σ u·q + Compensation[j]).
/// Padding of K and of columns is zero.
/// </summary>
internal sealed unsafe class Int8Matrix : IDisposable
{
    /// <summary>What an input of zero is.</summary>
    public const int ZeroPoint = 128;

    /// <summary>Largest weight: symmetric, so that −128 is not used.</summary>
    public const int MaxWeight = 127;

    private readonly AlignedBuffer _weights, _scale, _compensation;

    /// <param name="columns">N.</param>
    /// <param name="depth">K.</param>
    public Int8Matrix(int columns, int depth)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(depth, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(depth, Int8Kernel.MaxDepth);
        Blocks = (columns + Int8Kernel.Columns - 1) / Int8Kernel.Columns;
        Depth = depth;
        _weights = new AlignedBuffer((long)Blocks * Groups * Int8Kernel.GroupBytes / sizeof(float));
        _scale = new AlignedBuffer(Width);
        _compensation = new AlignedBuffer(Width);
    }

    public int Blocks { get; }

    /// <summary>K, as given.</summary>
    public int Depth { get; }

    /// <summary>Bytes of an input row are 4 × this; those past K may hold anything.</summary>
    public int Groups => Int8Kernel.Groups(Depth);

    /// <summary>Columns with padding: 64 × blocks.</summary>
    public int Width => Blocks * Int8Kernel.Columns;

    public long Bytes => _weights.Bytes + _scale.Bytes + _compensation.Bytes;

    /// <summary>[Width] what a unit of the weight is worth; 0 for padding.</summary>
    public float* Scale => _scale.Pointer;

    /// <summary>[Width] −128·Σₖ q[k, j]: takes the inputs' zero point out of the sums.</summary>
    public int* Compensation => (int*)_compensation.Pointer;

    /// <summary>[Groups, 64, 4].</summary>
    public byte* Block(int block) => (byte*)_weights.Pointer + ((long)block * Groups * Int8Kernel.GroupBytes);

    /// <summary>Column j of the product is row j of <paramref name="source"/>.</summary>
    /// <param name="source">[N, K], row-major, finite.</param>
    public static Int8Matrix FromRows(int rows, ReadOnlySpan<float> source)
    {
        var matrix = new Int8Matrix(rows, source.Length / rows);
        for (var row = 0; row < rows; row++)
            matrix.SetColumn(row, source.Slice(row * matrix.Depth, matrix.Depth));
        return matrix;
    }

    /// <summary>
    /// The rows of a recurrent layer's weights, placed as a layout says, for inputs in steps of 1/<see cref="ReducedKernel.HiddenSteps"/>. The
    /// scales hold the activation's factors and the inputs' step: Scale[j]·(Σ u·q + Compensation[j]) is what a packed float32 product gives.
    /// </summary>
    /// <param name="source">[Gates·H, K], row-major, finite.</param>
    public static Int8Matrix FromGates(GateLayout layout, ReadOnlySpan<float> source)
    {
        var rows = layout.Gates * layout.Hidden;
        var matrix = new Int8Matrix(layout.Width, source.Length / rows);
        for (var row = 0; row < rows; row++)
        {
            var column = layout.Column(row);
            matrix.SetColumn(column, source.Slice(row * matrix.Depth, matrix.Depth));
            matrix.Scale[column] *= layout.Scale(row / layout.Hidden) / ReducedKernel.HiddenSteps;
        }

        return matrix;
    }

    /// <summary>Rounds a column to the nearest multiples of its largest weight / 127.</summary>
    /// <param name="values">[K], finite.</param>
    public void SetColumn(int column, ReadOnlySpan<float> values)
    {
        var largest = 0f;
        foreach (var value in values)
            largest = MathF.Max(largest, MathF.Abs(value));
        SetColumn(column, values, largest / MaxWeight);
    }

    /// <summary>The same with a scale chosen by the caller; weights past 127 of it are cut to that.</summary>
    public void SetColumn(int column, ReadOnlySpan<float> values, float scale)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, Depth);
        var target = (sbyte*)Block(column / Int8Kernel.Columns) + (4 * (column % Int8Kernel.Columns));
        var sum = 0;
        for (var k = 0; k < values.Length; k++)
        {
            var weight = scale > 0 ? (int)Math.Clamp(Math.Round((double)values[k] / scale), -MaxWeight, MaxWeight) : 0;
            target[((long)(k / 4) * Int8Kernel.GroupBytes) + (k % 4)] = (sbyte)weight;
            sum += weight;
        }

        Scale[column] = scale;
        Compensation[column] = -ZeroPoint * sum;
    }

    public void Dispose()
    {
        _weights.Dispose();
        _scale.Dispose();
        _compensation.Dispose();
    }
}
