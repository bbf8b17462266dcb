using System.Runtime.Intrinsics;

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

    private const int Lanes = 16;

    /// <summary>Blocks that one thread makes at a time.</summary>
    private const int BlocksPerChunk = 64;

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
        var padded = (Depth + Lanes - 1) / Lanes * Lanes;
        fixed (float* r = rows, b = bias)
        {
            // A lambda cannot hold pointers to what is fixed, but it can hold numbers.
            var (items, biases) = ((nint)r, (nint)b);
            Parallel.For(0, (Blocks + BlocksPerChunk - 1) / BlocksPerChunk, chunk =>
            {
                using var row = new AlignedBuffer(padded);
                var (maxNorm, maxBias) = (0.0, 0.0);
                for (var block = chunk * BlocksPerChunk; block < Math.Min(Blocks, (chunk + 1) * BlocksPerChunk); block++)
                {
                    new Span<byte>(Codes(block), Groups * Int8Kernel.GroupBytes).Fill(ZeroPoint);
                    for (var item = block * Int8Kernel.Columns; item < Math.Min(Count, (block + 1) * Int8Kernel.Columns); item++)
                    {
                        new ReadOnlySpan<float>((float*)items + ((long)item * Depth), Depth).CopyTo(new Span<float>(row.Pointer, Depth));
                        var one = ((float*)biases)[item];
                        maxNorm = Math.Max(maxNorm, Add(item, row.Pointer, padded, one, margin));
                        maxBias = Math.Max(maxBias, Math.Abs((double)one));
                    }
                }

                lock (_itemFactor)
                {
                    MaxNorm = Math.Max(MaxNorm, maxNorm);
                    MaxBias = Math.Max(MaxBias, maxBias);
                }
            });
        }
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

    /// <param name="row">[padded] zero past E.</param>
    /// <returns>‖x‖.</returns>
    private double Add(int item, float* row, int padded, float bias, double margin)
    {
        // 1. The scale, by the largest number.
        var (block, column) = Math.DivRem(item, Int8Kernel.Columns);
        var largest = Vector512<float>.Zero;
        for (var k = 0; k < padded; k += Lanes)
            largest = Vector512.Max(largest, Vector512.Abs(Vector512.Load(row + k)));
        var scale = MinScale;
        for (var lane = 0; lane < Lanes; lane++)
            scale = MathF.Max(scale, largest[lane] / MaxCode);

        // 2. The codes, and three sums of squares in units of the scale, where nothing can leave float32's range: y = x / s, c, y − c.
        var codes = (int*)Codes(block) + column;
        Vector512<float> squares = default, codeSquares = default, rest = default;
        var bytes = stackalloc byte[Lanes];
        for (var k = 0; k < padded; k += Lanes)
        {
            var y = Vector512.Load(row + k) / Vector512.Create(scale);
            var c = Vector512.Round(y);
            squares += y * y;
            codeSquares += c * c;
            rest += (y - c) * (y - c);
            var code = Vector512.ConvertToInt32(c) + Vector512.Create(ZeroPoint);
            Vector128.Narrow(
                Vector256.Narrow(code.GetLower(), code.GetUpper()).GetLower().AsUInt16(), Vector256.Narrow(code.GetLower(), code.GetUpper()).GetUpper().AsUInt16()).Store(bytes);
            for (var group = 0; group < Math.Min(4, Groups - (k / 4)); group++)
                codes[((k / 4) + group) * Int8Kernel.Columns] = ((int*)bytes)[group];
        }

        // 3. The bound's factors. The division has put each y off by at most 127u; sums of E squares are off by a share of E·u.
        var sums = 1 + (2 * (Depth + 2) * Unit);
        var norm = Math.Sqrt(Vector512.Sum(squares)) * sums;
        var codeNorm = Math.Sqrt(Vector512.Sum(codeSquares)) * sums;
        var restNorm = (Math.Sqrt(Vector512.Sum(rest)) * sums) + (Math.Sqrt(Depth) * 128 * Unit);

        // Both factors' own rounding to float32, and that of the radius made of them.
        const double up = 1 + (64 * Unit);
        var gamma = 2 * Depth * Unit / (1 - (2 * Depth * Unit));
        var itemFactor = (restNorm + (gamma * norm) + (8 * Unit * codeNorm)) * up;
        var slack = ((gamma + (8 * Unit)) * Math.Abs((double)bias)) + (Depth * Math.Pow(2, -120));
        _itemFactor[block] = MathF.Max(_itemFactor[block], (float)(itemFactor * margin));
        _queryFactor[block] = MathF.Max(_queryFactor[block], (float)(codeNorm * up * margin));
        Scale(block)[column] = scale;
        var upperBias = MathF.BitIncrement((float)(bias + slack));
        UpperBias(block)[column] = upperBias;
        _gap[block] = MathF.Max(_gap[block], MathF.BitIncrement((float)(2 * ((double)upperBias - bias))));
        return norm * scale;
    }
}
