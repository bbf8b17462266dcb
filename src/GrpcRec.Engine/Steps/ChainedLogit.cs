namespace GrpcRec.Engine.Steps;

/// <summary>
/// The logit of an outcome that needs another one first: p = p(given)·p(own | given), as in ESMM (Ma et al., SIGIR 2018), where a purchase needs
/// a click. Kept as a logit, so that whoever reads logits need not know of chains.
/// </summary>
public static class ChainedLogit
{
    /// <summary>
    /// logit(σ(x)·σ(y)) = -log(e⁻ˣ + e⁻ʸ + e⁻ˣ⁻ʸ), by the largest exponent first, so that nothing overflows. At most the smaller of x and y.
    /// </summary>
    public static float Of(float own, float given)
    {
        double x = -(double)own, y = -(double)given;
        var largest = Math.Max(Math.Max(x, y), x + y);
        var logit = -(largest + Math.Log(Math.Exp(x - largest) + Math.Exp(y - largest) + Math.Exp(x + y - largest)));
        // Rounding to float32 must not end above what bounds it.
        return Math.Min((float)logit, Math.Min(own, given));
    }
}
