using CsCheck;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Tests.Steps;

public sealed class ChainedLogitTests
{
    /// <summary>In decimal probabilities where those are exact enough, 1e-6 of the logit elsewhere.</summary>
    [Fact]
    public void Of_OrdinaryLogits_IsTheLogitOfTheProduct() => Gen.Select(Gen.Float[-12, 12], Gen.Float[-12, 12]).Sample((x, y) =>
    {
        double p = 1 / (1 + Math.Exp(-x)) / (1 + Math.Exp(-y)), exact = Math.Log(p / (1 - p));
        return Math.Abs(exact - ChainedLogit.Of(x, y)) <= 1e-6 * Math.Max(1, Math.Abs(exact));
    });

    [Fact]
    public void Of_AnyFiniteLogits_IsFiniteOrAtItsLimitAndBelowBoth() => Gen.Select(Gen.Float[-1e30f, 1e30f], Gen.Float[-1e30f, 1e30f]).Sample((x, y) =>
    {
        var z = ChainedLogit.Of(x, y);
        return float.IsFinite(z) && z <= Math.Min(x, y);
    });

    [Fact]
    public void Of_CertainOther_IsTheOneAlone()
    {
        Assert.Equal(-3.5f, ChainedLogit.Of(-3.5f, 200), 1e-6f);
        Assert.Equal(1.25f, ChainedLogit.Of(1000, 1.25f), 1e-6f);
    }
}
