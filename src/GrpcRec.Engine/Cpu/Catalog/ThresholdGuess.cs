using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>
/// Where a query's threshold will end up, guessed from a sample before the scan: blocks at equal distances, and of each the best score by
/// bytes. A scan that begins with it leaves out most of what it would otherwise keep, and go through again and again, while its own
/// threshold rises. Nothing proves the guess. A query with k results that reach it has lost nothing, because what was left out scores
/// less than it; any other is scanned once more (<see cref="Int8Scan.Finish"/>).
/// <para>
/// Of S sampled blocks among B, μ = k·S/B are expected to hold one of the best k, fewer where those stand together. The rank-th best of the
/// sample is taken with rank = μ + 2.5·√μ + 2: more blocks than that hold one of them about twice in a thousand queries.
/// </para>
/// </summary>
internal sealed unsafe class ThresholdGuess(CatalogTable table, sbyte* codes, nint stride) : IDisposable
{
    /// <summary>Sampled blocks: a share of all, so that the sample costs little beside the scan, and enough of them to say something.</summary>
    private const int BlocksPerSample = 16, MinSamples = 16, MaxSamples = 256;

    private readonly AlignedBuffer _sums = new(Int8Kernel.MaxRows * Int8Kernel.Columns);

    /// <summary>Bit i of lane i.</summary>
    private static Vector512<int> Bits => Vector512.Create(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768);

    private int* Sums => (int*)_sums.Pointer;

    /// <summary>Sets the first thresholds of queries that a sample tells something about.</summary>
    /// <param name="whole">Queries without a mask, in rows 0…; their bytes have begun, as have those of the others.</param>
    /// <param name="single">Others, wherever they stand.</param>
    public void Run(ReadOnlySpan<ScanQuery> whole, ReadOnlySpan<ScanQuery> single)
    {
        var samples = Math.Min(table.Blocks / BlocksPerSample, MaxSamples);
        if (samples < MinSamples || whole.Length + single.Length == 0)
            return;
        var catalog = table.Codes!;
        for (var sample = 0; sample < samples; sample++)
        {
            var block = (int)((long)sample * table.Blocks / samples);
            for (var n = 0; n < whole.Length;)
            {
                var count = Int8Kernel.NextRows(whole.Length - n);
                Int8Kernel.Multiply<SignedInputs>(table.Int8, count, catalog.Codes(block), catalog.Groups, (byte*)codes + (n * stride), stride, Sums);
                for (var r = 0; r < count; r++)
                    Take(catalog, whole[n + r], block, Sums + (r * Int8Kernel.Columns));
                n += count;
            }

            foreach (var query in single)
            {
                if (query.Mask is not null && query.Mask.Words[block] == 0)
                    continue;
                Int8Kernel.Multiply<SignedInputs>(table.Int8, 1, catalog.Codes(block), catalog.Groups, (byte*)query.Bytes->Codes, stride, Sums);
                Take(catalog, query, block, Sums);
            }
        }

        foreach (var query in whole)
            query.Guess(table.Blocks);
        foreach (var query in single)
            query.Guess(query.Mask?.Blocks ?? table.Blocks);
    }

    /// <param name="samples">Blocks that were looked at.</param>
    /// <param name="blocks">All that have items for the query.</param>
    /// <returns>Which of the sample is the guess, 1 the best; 0: none is worth it.</returns>
    public static int Rank(int k, int samples, int blocks)
    {
        if (samples < MinSamples)
            return 0;
        var expected = (double)k * samples / blocks;
        var rank = (int)Math.Ceiling(expected + (2.5 * Math.Sqrt(expected)) + 2);
        return rank <= samples / 2 ? rank : 0;
    }

    public void Dispose() => _sums.Dispose();

    /// <param name="sums">[64] of products of bytes.</param>
    private void Take(Int8Catalog catalog, ScanQuery query, int block, int* sums)
    {
        var items = table.ItemsOf(block);
        if (query.Bytes->IsFiltered)
            items = query.Allowed(block, items);
        if (items != 0)
            query.Bytes->AddSample(Best(sums, catalog.Scale(block), catalog.UpperBias(block), query.Bytes->Offset, query.Bytes->Scale, items));
    }

    /// <summary>The largest s·t·(sum − offset) + b of some items of a block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Best(int* sums, float* scale, float* bias, int offset, float t, ulong items)
    {
        var o = Vector512.Create(offset);
        Vector512<float> f = Vector512.Create(t), none = Vector512.Create(float.NegativeInfinity), best = none;
        for (var j = 0; j < Int8Kernel.Columns; j += Vector512<int>.Count, items >>= Vector512<int>.Count)
        {
            var products = Vector512.ConvertToSingle(Vector512.Load(sums + j) - o);
            var scores = Vector512.FusedMultiplyAdd(products * f, Vector512.Load(scale + j), Vector512.Load(bias + j));
            var isItem = Vector512.Equals(Vector512.Create((int)(ushort)items) & Bits, Bits).AsSingle();
            best = Vector512.MaxNative(best, Vector512.ConditionalSelect(isItem, scores, none));
        }

        var largest = float.NegativeInfinity;
        for (var lane = 0; lane < Vector512<float>.Count; lane++)
            largest = MathF.Max(largest, best[lane]);
        return largest;
    }
}
