namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>A query in signed bytes, the candidates that its bounds have left so far, and the k-th best of what they score at least.</summary>
/// <param name="codes">[E, padded to 4] written; zero past E.</param>
internal sealed unsafe class QueryCodes(sbyte* codes)
{
    /// <summary>Candidates held: some times what a k of 100 leaves of a million items.</summary>
    public const int Capacity = 4096;

    /// <summary>Longest k that is worth bounds.</summary>
    public const int MaxK = 1024;

    /// <summary>Norms past this could take a bound out of float32's range.</summary>
    private const double MaxNorm = 1e15, MaxBias = 1e30;

    private int[] _items = [];
    private float[] _uppers = [];
    private float[] _lowers = [];
    private int _lowerCount, _k;

    /// <summary>[E, padded to 4].</summary>
    public sbyte* Pointer => codes;

    /// <summary>t: a code is worth this.</summary>
    public float Scale { get; private set; }

    /// <summary>‖q‖, rounded up.</summary>
    public float Norm { get; private set; }

    /// <summary>‖q − q̂‖, rounded up.</summary>
    public float Error { get; private set; }

    /// <summary>128·Σ codes: what the items' zero point adds to each sum.</summary>
    public int Offset { get; private set; }

    /// <summary>Some k items score at least this; −∞ until so many are known.</summary>
    public float Threshold { get; private set; }

    public int Count { get; private set; }

    public ReadOnlySpan<int> Items => _items.AsSpan(0, Count);

    /// <returns>False: the numbers are too large for bounds in float32.</returns>
    public bool TryBegin(Int8Catalog catalog, float* query, int k)
    {
        double squares = 0, rest = 0;
        var largest = 0f;
        for (var i = 0; i < catalog.Depth; i++)
        {
            squares += (double)query[i] * query[i];
            largest = MathF.Max(largest, MathF.Abs(query[i]));
        }

        // Not "or": a norm that is no number is not below anything.
        if (!(squares < MaxNorm * MaxNorm && catalog.MaxNorm < MaxNorm && catalog.MaxBias < MaxBias))
            return false;
        Scale = MathF.Max(largest / Int8Catalog.MaxCode, Int8Catalog.MinScale);
        var sum = 0;
        for (var i = 0; i < catalog.Depth; i++)
        {
            var code = (int)Math.Clamp(Math.Round((double)query[i] / Scale), -Int8Catalog.MaxCode, Int8Catalog.MaxCode);
            codes[i] = (sbyte)code;
            sum += code;
            var off = query[i] - ((double)Scale * code);
            rest += off * off;
        }

        Offset = 128 * sum;
        Norm = MathF.BitIncrement((float)Math.Sqrt(squares));
        Error = MathF.BitIncrement((float)Math.Sqrt(rest));
        if (_items.Length == 0)
            (_items, _uppers, _lowers) = (new int[Capacity], new float[Capacity], new float[MaxK]);
        (Count, _lowerCount, _k, Threshold) = (0, 0, k, float.NegativeInfinity);
        return true;
    }

    /// <summary>Takes an item whose score is from <paramref name="lower"/> to <paramref name="upper"/>. Room is the caller's to see to.</summary>
    public void Add(int item, float lower, float upper)
    {
        _items[Count] = item;
        _uppers[Count++] = upper;
        if (lower > Threshold || _lowerCount < _k)
            OfferLower(lower);
    }

    /// <summary>Forgets those that cannot be among the best k.</summary>
    /// <param name="threshold">A k-th best score that is known from elsewhere.</param>
    public void Prune(float threshold)
    {
        threshold = MathF.Max(threshold, Threshold);
        var kept = 0;
        for (var i = 0; i < Count; i++)
        {
            if (!(_uppers[i] >= threshold))
                continue;
            _items[kept] = _items[i];
            _uppers[kept++] = _uppers[i];
        }

        Count = kept;
    }

    /// <summary>Forgets all: they have been scored.</summary>
    /// <param name="threshold">The k-th best of the scores.</param>
    public void Clear(float threshold)
    {
        Count = 0;
        Threshold = MathF.Max(Threshold, threshold);
    }

    /// <summary>A heap of the best k; the least stands at its root.</summary>
    private void OfferLower(float lower)
    {
        int at;
        if (_lowerCount < _k)
        {
            for (at = _lowerCount++; at > 0 && _lowers[(at - 1) / 2] > lower; at = (at - 1) / 2)
                _lowers[at] = _lowers[(at - 1) / 2];
            _lowers[at] = lower;
        }
        else if (lower > _lowers[0])
        {
            at = 0;
            for (var child = 1; child < _k; child = (2 * at) + 1)
            {
                if (child + 1 < _k && _lowers[child + 1] < _lowers[child])
                    child++;
                if (_lowers[child] >= lower)
                    break;
                _lowers[at] = _lowers[child];
                at = child;
            }

            _lowers[at] = lower;
        }

        if (_lowerCount == _k)
            Threshold = MathF.Max(Threshold, _lowers[0]);
    }
}
