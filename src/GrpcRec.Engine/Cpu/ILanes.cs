namespace GrpcRec.Engine.Cpu;

/// <summary>
/// The operations of one width of vector. Kernels are written once over it: the JIT compiles them anew for each struct that implements
/// it, with every call inlined. Lane by lane all widths compute the same, so a column's sum does not depend on the width, but for
/// <see cref="MultiplyAdd(TVector, TVector, TVector)"/> where the processor cannot fuse.
/// </summary>
/// <typeparam name="TVector">Vector512, Vector256 or Vector128 of float32.</typeparam>
internal unsafe interface ILanes<TVector>
    where TVector : struct
{
    /// <summary>Floats of a vector: 16, 8 or 4.</summary>
    static abstract int Width { get; }

    static abstract TVector Load(float* source);

    static abstract void Store(TVector value, float* target);

    static abstract TVector Broadcast(float value);

    /// <summary>a·b + c, rounded once where the processor has it.</summary>
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

    /// <summary>The same of one number, with the same rounding.</summary>
    static abstract float MultiplyAdd(float a, float b, float c);

    static abstract TVector Add(TVector a, TVector b);

    static abstract TVector Subtract(TVector a, TVector b);

    static abstract TVector Multiply(TVector a, TVector b);

    static abstract TVector Divide(TVector a, TVector b);

    static abstract TVector Max(TVector a, TVector b);

    static abstract TVector Min(TVector a, TVector b);

    /// <summary>Sums of Width pairs of 32-bit integers as floats, rounded to nearest; exact up to 2^24.</summary>
    static abstract TVector FromIntegers(int* a, int* b);

    /// <summary>The low byte of each lane's bits, Width bytes.</summary>
    static abstract void StoreLowBytes(TVector bits, byte* target);

    /// <summary>Width pairs of bfloat16: the numbers in the low halves of the words.</summary>
    static abstract TVector LowHalves(uint* source);

    /// <summary>The numbers in the high halves.</summary>
    static abstract TVector HighHalves(uint* source);

    /// <summary>Of all lanes.</summary>
    static abstract float Sum(TVector value);

    /// <summary>
    /// 2^x, x first held to at most <see cref="Exp2Polynomial.MaxExponent"/>: relative error ≤ 2e-7, exactly 1 at 0; below
    /// 2^-126 anything from 0 to 2^-126.
    /// </summary>
    static abstract TVector Exp2(TVector x);

    /// <summary>Asks for a cache line into the second-level cache; nothing where there is no such instruction.</summary>
    static abstract void Prefetch(float* address);
}
