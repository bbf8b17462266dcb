using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>
/// A query in signed bytes, and the candidates that its bounds have left so far. One cache line, outside the garbage collector: a tile
/// of queries is gone through once for every block of items, and what does not fit the first-level cache is then waited for.
/// </summary>
internal unsafe struct Int8Query
{
    /// <summary>Floats of memory for the candidates.</summary>
    public const int MemoryFloats = 3 * (Capacity + Lanes);

    /// <summary>Candidates held: some times what a k of 100 leaves of a million items.</summary>
    public const int Capacity = 4096;

    /// <summary>Longest k that is worth bounds.</summary>
    public const int MaxK = 1024;

    private const int Lanes = 16;

    /// <summary>Candidates for each of the k with which a guessed threshold is good enough to go on with.</summary>
    private const int LimitPerResult = 8;

    /// <summary>Halvings of the interval between the threshold and the best: far finer than the bounds are wide.</summary>
    private const int Halvings = 16;

    /// <summary>Norms past these could take a bound out of float32's range.</summary>
    private const double MaxNorm = 1e15, MaxBias = 1e30;

    /// <summary>[E, padded to 4] zero past E.</summary>
    public sbyte* Codes;

    // [Capacity] each: item, and what it scores at most and at least.
    private int* _items;
    private float* _uppers, _lowers;
    private int _k;

    /// <summary>128·Σ codes: what the items' zero point adds to each sum.</summary>
    public int Offset;

    /// <summary>t: a code is worth this.</summary>
    public float Scale;

    /// <summary>‖q‖, rounded up.</summary>
    public float Norm;

    /// <summary>‖q − q̂‖, rounded up.</summary>
    public float Error;

    /// <summary>Some k items score at least this; −∞ until so many are known.</summary>
    public float Threshold;

    public int Count;

    /// <summary>Candidates from which on it is worth finding a higher threshold.</summary>
    public int Limit;

    /// <summary>Some items may not be returned.</summary>
    public bool IsFiltered;

    public readonly ReadOnlySpan<int> Items => new(_items, Count);

    public readonly bool HasMemory => _items is not null;

    /// <param name="memory">[<see cref="MemoryFloats"/>], the query's for good.</param>
    public void Give(float* memory)
    {
        _uppers = memory;
        _lowers = _uppers + Capacity + Lanes;
        _items = (int*)(_lowers + Capacity + Lanes);
    }

    /// <param name="query">[E].</param>
    /// <param name="k">1…<see cref="MaxK"/>.</param>
    /// <returns>False: the numbers are too large for bounds in float32.</returns>
    public bool TryBegin(Int8Catalog catalog, float* query, int k, bool isFiltered)
    {
        double squares = 0, rest = 0;
        var largest = 0f;
        for (var i = 0; i < catalog.Depth; i++)
        {
            squares += (double)query[i] * query[i];
            largest = MathF.Max(largest, MathF.Abs(query[i]));
        }

        // Not "or": what is no number is not below anything.
        if (!(squares < MaxNorm * MaxNorm && catalog.MaxNorm < MaxNorm && catalog.MaxBias < MaxBias))
            return false;
        Scale = MathF.Max(largest / Int8Catalog.MaxCode, Int8Catalog.MinScale);
        var sum = 0;
        for (var i = 0; i < catalog.Depth; i++)
        {
            var code = (int)Math.Clamp(Math.Round((double)query[i] / Scale), -Int8Catalog.MaxCode, Int8Catalog.MaxCode);
            Codes[i] = (sbyte)code;
            sum += code;
            var off = query[i] - ((double)Scale * code);
            rest += off * off;
        }

        Offset = 128 * sum;
        Norm = MathF.BitIncrement((float)Math.Sqrt(squares));
        Error = MathF.BitIncrement((float)Math.Sqrt(rest));
        (_k, IsFiltered) = (k, isFiltered);
        Begin(float.NegativeInfinity);
        return true;
    }

    /// <summary>Begins as another has begun, to look for candidates elsewhere. Both have the same codes and each has candidates of its own.</summary>
    /// <param name="guess">Of the threshold; −∞: none.</param>
    public void Begin(Int8Query* other, float guess)
    {
        (Offset, Scale, Norm, Error, IsFiltered, _k) = (other->Offset, other->Scale, other->Norm, other->Error, other->IsFiltered, other->_k);
        Begin(guess);
    }

    /// <summary>Begins anew with a threshold that is known or guessed; −∞: neither.</summary>
    public void Begin(float threshold)
    {
        (Count, Threshold) = (0, threshold);
        Limit = float.IsNegativeInfinity(threshold) ? _k : Math.Min(Capacity - Int8Kernel.Columns, LimitPerResult * _k);
    }

    /// <summary>The best score of one sampled block, by bytes.</summary>
    public void AddSample(float score) => _uppers[Count++] = score;

    /// <summary>A number that nearly as many samples reach as <see cref="ThresholdGuess.Rank"/> says; the samples are gone then.</summary>
    /// <param name="blocks">All that have items for the query.</param>
    /// <returns>−∞: the sample is of no use.</returns>
    public float Guess(int blocks)
    {
        var rank = ThresholdGuess.Rank(_k, Count, blocks);
        var guess = rank == 0 ? float.NegativeInfinity : Reached(_uppers, rank, float.NegativeInfinity);
        Begin(guess);
        return guess;
    }

    /// <summary>Takes over what another has found.</summary>
    /// <param name="start">Its first candidate that has not been taken yet.</param>
    /// <returns>The first that found no room; its count when all have.</returns>
    public int Take(Int8Query* other, int start)
    {
        for (; start < other->Count && Count < Capacity - Int8Kernel.Columns; start++)
        {
            if (other->_uppers[start] >= Threshold)
                Add(other->_items[start], other->_lowers[start], other->_uppers[start]);
        }

        return start;
    }

    /// <summary>Takes an item whose score is from <paramref name="lower"/> to <paramref name="upper"/>. Room is the caller's to see to.</summary>
    public void Add(int item, float lower, float upper)
    {
        _items[Count] = item;
        _lowers[Count] = lower;
        _uppers[Count++] = upper;
    }

    /// <summary>Finds a higher threshold and forgets the candidates that cannot be among the best k.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Prune()
    {
        Threshold = MathF.Max(Threshold, Reached(_lowers, _k, Threshold));
        Keep(Threshold, 0);
        Limit = Math.Min(Capacity - Int8Kernel.Columns, Math.Max(2 * Count, Count + Int8Kernel.Columns));
    }

    /// <summary>Puts those first that are likeliest to be among the best: about k of them.</summary>
    /// <returns>How many.</returns>
    public int BringForward()
    {
        var upper = Reached(_uppers, _k, float.NegativeInfinity);
        var first = 0;
        for (var i = 0; i < Count; i++)
        {
            if (!(_uppers[i] >= upper))
                continue;
            (_items[i], _items[first]) = (_items[first], _items[i]);
            (_uppers[i], _uppers[first]) = (_uppers[first], _uppers[i]);
            first++;
        }

        return first;
    }

    /// <summary>Forgets those from <paramref name="start"/> on that cannot reach the threshold.</summary>
    public void Keep(float threshold, int start)
    {
        var kept = start;
        for (var i = start; i < Count; i++)
        {
            // Written in any case, counted if kept: which of them stay cannot be foreseen.
            var upper = _uppers[i];
            (_items[kept], _lowers[kept], _uppers[kept]) = (_items[i], _lowers[i], upper);
            kept += upper >= threshold ? 1 : 0;
        }

        Count = kept;
    }

    /// <summary>Forgets all: they have been scored.</summary>
    /// <param name="threshold">The k-th best of the scores.</param>
    public void Clear(float threshold)
    {
        Count = 0;
        Threshold = MathF.Max(Threshold, threshold);
        Limit = Capacity - Int8Kernel.Columns;
    }

    /// <summary>
    /// The k-th largest, nearly: a number that at least k of the numbers reach. Any will do, and counting is much cheaper than
    /// ordering. Halves the interval in the order of the floats' bits, so that it makes no odds how large they are.
    /// </summary>
    /// <param name="values">[Count], and room for a vector.</param>
    /// <param name="floor">Given back when fewer than k reach more.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly float Reached(float* values, int k, float floor)
    {
        if (Count < k)
            return floor;
        // The last vector is filled up twice, so that the loops need no tail: with what is no minimum, then with what is not counted.
        Vector512.Create(values[0]).Store(values + Count);
        Vector512<float> least = Vector512.Create(values[0]), most = least;
        for (var i = 0; i < Count; i += Lanes)
        {
            var v = Vector512.Load(values + i);
            least = Vector512.MinNative(least, v);
            most = Vector512.MaxNative(most, v);
        }

        Vector512.Create(float.NegativeInfinity).Store(values + Count);
        float from = float.PositiveInfinity, to = float.NegativeInfinity;
        for (var i = 0; i < Lanes; i++)
        {
            from = MathF.Min(from, least[i]);
            to = MathF.Max(to, most[i]);
        }

        int low = Key(MathF.Max(from, floor)), high = Key(to);
        for (var n = 0; n < Halvings && low < high; n++)
        {
            var middle = (int)(((long)low + high + 1) / 2);
            var v = Vector512.Create(Value(middle));
            var count = Vector512<int>.Zero;
            for (var i = 0; i < Count; i += Lanes)
                count -= Vector512.GreaterThanOrEqual(Vector512.Load(values + i), v).AsInt32();
            if (Vector512.Sum(count) >= k)
                low = middle;
            else
                high = middle - 1;
        }

        return Value(low);
    }

    /// <summary>Integers in the order of the floats, and back.</summary>
    private static int Key(float value)
    {
        var bits = BitConverter.SingleToInt32Bits(value);
        return bits ^ ((bits >> 31) & int.MaxValue);
    }

    private static float Value(int key) => BitConverter.Int32BitsToSingle(key ^ ((key >> 31) & int.MaxValue));
}
