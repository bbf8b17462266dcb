namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>
/// Output embeddings as bytes, and what bounds the error of a score that is computed from them. V · (E + 8) bytes.
/// <para>
/// With x̂ = s·c the item in bytes and q̂ = t·d the query in bytes, the exact score b + q·x lies within
/// ‖q‖·‖x − x̂‖ + ‖x̂‖·‖q − q̂‖ of b + q̂·x̂ (Cauchy and Schwarz, twice), and c·d is an exact integer. Float32 arithmetic adds, with
/// u = 2⁻²⁴: the score that is returned is a chain of E products and sums of at most two roundings each, within
/// γ·(|b| + ‖q‖·‖x‖) of exact, γ = 2E·u / (1 − 2E·u); the bound's own four roundings stay within 8u of each of its parts.
/// Underflow adds at most 2⁻¹⁴⁹ an operation, for which E·2⁻¹²⁰ is set aside.
/// All of it is of the form s·(‖q‖·κ + ‖q − q̂‖·ν) + an item's slack, so κ and ν are kept for a block of 64 items, at their largest.
/// </para>
/// </summary>
internal sealed unsafe class Int8Catalog : IDisposable
{
    /// <summary>What an item's zero is: items are unsigned and queries signed, so that the correction is one number a query.</summary>
    private const int ZeroPoint = 128;

    /// <summary>Largest of a byte's magnitude, for items and queries.</summary>
    public const int MaxCode = 127;

    /// <summary>Keeps scales clear of subnormal numbers. An item below it in all its dimensions has bytes of zero, and its bound says so.</summary>
    public const float MinScale = 1e-30f;

    private const double Unit = 1.0 / (1 << 24);

    private readonly AlignedBuffer _codes, _scale, _upperBias;
    private readonly float[] _itemFactor, _queryFactor, _gap;

    /// <param name="rows">[V, E], finite.</param>
    /// <param name="bias">[V].</param>
    /// <param name="margin">1; less than that makes the bound wrong, for the test that shows that it is tested.</param>
    public Int8Catalog(ReadOnlySpan<float> rows, ReadOnlySpan<float> bias, double margin = 1)
    {
        Count = bias.Length;
        Depth = rows.Length / bias.Length;
        Blocks = (Count + Int8Kernel.Columns - 1) / Int8Kernel.Columns;
        _codes = new AlignedBuffer((long)Blocks * Groups * Int8Kernel.GroupBytes / sizeof(float));
        _scale = new AlignedBuffer((long)Blocks * Int8Kernel.Columns);
        _upperBias = new AlignedBuffer((long)Blocks * Int8Kernel.Columns);
        _itemFactor = new float[Blocks];
        _queryFactor = new float[Blocks];
        _gap = new float[Blocks];
        for (var block = 0; block < Blocks; block++)
            new Span<byte>(Codes(block), Groups * Int8Kernel.GroupBytes).Fill(ZeroPoint);
        for (var item = 0; item < Count; item++)
            Add(item, rows.Slice(item * Depth, Depth), bias[item], margin);
    }

    /// <summary>V.</summary>
    public int Count { get; }

    /// <summary>E.</summary>
    public int Depth { get; }

    public int Groups => Int8Kernel.Groups(Depth);

    public int Blocks { get; }

    public long Bytes => _codes.Bytes + _scale.Bytes + _upperBias.Bytes + (12L * Blocks);

    /// <summary>Largest ‖x‖ and largest |b|: a query whose scores could leave float32's range is not for bytes.</summary>
    public double MaxNorm { get; private set; }

    public double MaxBias { get; private set; }

    /// <param name="count">V.</param>
    public static long BytesFor(long count, int depth) => (count + 63) / 64 * ((64L * ((4 * Int8Kernel.Groups(depth)) + 8)) + 12);

    /// <summary>[Groups, 64, 4].</summary>
    public byte* Codes(int block) => (byte*)_codes.Pointer + ((long)block * Groups * Int8Kernel.GroupBytes);

    /// <summary>[64] s of the block's items.</summary>
    public float* Scale(int block) => _scale.Pointer + ((long)block * Int8Kernel.Columns);

    /// <summary>[64] b of the block's items and its slack.</summary>
    public float* UpperBias(int block) => _upperBias.Pointer + ((long)block * Int8Kernel.Columns);

    /// <summary>‖q‖·κ + ‖q − q̂‖·ν: what a score may be off by, in units of the item's s.</summary>
    /// <param name="norm">‖q‖, rounded up.</param>
    /// <param name="error">‖q − q̂‖, rounded up.</param>
    public float Radius(int block, float norm, float error) => (norm * _itemFactor[block]) + (error * _queryFactor[block]);

    /// <summary>
    /// An item's upper bias less this is at most its bias less its slack: the two sides of the bound without a look at the bias itself,
    /// which stands elsewhere in memory.
    /// </summary>
    public float Gap(int block) => _gap[block];

    public void Dispose()
    {
        _codes.Dispose();
        _scale.Dispose();
        _upperBias.Dispose();
    }

    private void Add(int item, ReadOnlySpan<float> row, float bias, double margin)
    {
        var (block, column) = Math.DivRem(item, Int8Kernel.Columns);
        var largest = 0f;
        foreach (var value in row)
            largest = MathF.Max(largest, MathF.Abs(value));
        var scale = MathF.Max(largest / MaxCode, MinScale);
        var codes = Codes(block) + (4 * column);
        double squares = 0, rest = 0;
        long codeSquares = 0;
        for (var k = 0; k < row.Length; k++)
        {
            var code = (int)Math.Clamp(Math.Round((double)row[k] / scale), -MaxCode, MaxCode);
            codes[((k / 4) * Int8Kernel.GroupBytes) + (k % 4)] = (byte)(code + ZeroPoint);
            var off = row[k] - ((double)scale * code);
            squares += (double)row[k] * row[k];
            rest += off * off;
            codeSquares += code * code;
        }

        // The factor at the end: these sums' own rounding, that of the two factors to float32, and of the radius made of them.
        const double up = 1 + (64 * Unit);
        var gamma = 2 * Depth * Unit / (1 - (2 * Depth * Unit));
        var norm = Math.Sqrt(squares);
        var codeNorm = Math.Sqrt(codeSquares);
        var itemFactor = (((Math.Sqrt(rest) + (gamma * norm)) / scale) + (8 * Unit * codeNorm)) * up;
        var slack = ((gamma + (8 * Unit)) * Math.Abs((double)bias)) + (Depth * Math.Pow(2, -120));
        _itemFactor[block] = MathF.Max(_itemFactor[block], (float)(itemFactor * margin));
        _queryFactor[block] = MathF.Max(_queryFactor[block], (float)(codeNorm * up * margin));
        Scale(block)[column] = scale;
        var upperBias = MathF.BitIncrement((float)(bias + slack));
        UpperBias(block)[column] = upperBias;
        _gap[block] = MathF.Max(_gap[block], MathF.BitIncrement((float)(2 * ((double)upperBias - bias))));
        MaxNorm = Math.Max(MaxNorm, norm);
        MaxBias = Math.Max(MaxBias, Math.Abs((double)bias));
    }
}
