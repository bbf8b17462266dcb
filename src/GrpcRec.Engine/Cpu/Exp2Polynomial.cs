namespace GrpcRec.Engine.Cpu;

/// <summary>Polynomials of 2^f that are exactly 1 at 0, so that padding units stay 0; the constant term is that 1.</summary>
internal static class Exp2Polynomial
{
    // f in [-½, ½]: interpolates at Chebyshev nodes, relative error 1e-8 before rounding. Highest power first.
    public const float C6 = 1.5453163e-4f;
    public const float C5 = 1.33908633e-3f;
    public const float C4 = 9.61808302e-3f;
    public const float C3 = 5.55035695e-2f;
    public const float C2 = 0.240226507f;
    public const float C1 = 0.693147182f;

    // f in [0, 1): least maximum of the relative error (Remez) under that condition, 8e-8 before rounding and 1.5e-7 after.
    public const float Floor5 = 0.00186713005f;
    public const float Floor4 = 0.00901703071f;
    public const float Floor3 = 0.0557999127f;
    public const float Floor2 = 0.240164444f;
    public const float Floor1 = 0.693151295f;

    /// <summary>2^40 saturates σ and tanh to within 1e-12, and the product of three such numbers stays below float32's 2^128.</summary>
    public const float MaxExponent = 40;

    /// <summary>Below it 2^x would be no normal number, and 1 + 2^x is 1 long before.</summary>
    public const float MinExponent = -126;

    /// <summary>1.5·2^23: added to a small number it leaves the nearest integer in the low bits of the sum.</summary>
    public const float RoundingShift = 12582912f;
}
