namespace GrpcRec.Training.Optimizers;

/// <summary>The optimiser that a plan asks for.</summary>
public sealed record OptimizerPlan
{
    public OptimizerKind Kind { get; init; } = OptimizerKind.Adam;

    /// <summary>sgd: share of the last step that goes on, 0 to below 1.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Of matrices and embeddings, not of biases; for sgd and adam times the weight in the gradient, for adamw times the learning rate a step.</summary>
    public double WeightDecay { get; init; }

    /// <summary>
    /// Rows of embeddings that a step has no gradient for are left as they are, moments too ("lazy" Adam). Otherwise they go on by their
    /// momentum, as torch has it. Faster for large catalogues with a sampled loss, and not the same steps.
    /// </summary>
    public bool LazyEmbeddings { get; init; }

    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Constant;

    /// <summary>Share of all steps over which the learning rate rises from near zero, 0 to 0.5.</summary>
    public double WarmUp { get; init; }

    /// <summary>The factor on the learning rate at a step.</summary>
    /// <param name="step">From 1.</param>
    /// <param name="steps">Of the whole training, at least 1.</param>
    public double Factor(long step, long steps)
    {
        var rise = WarmUp * steps;
        if (step <= rise)
            return step / rise;
        return Schedule switch
        {
            LearningRateSchedule.Constant => 1,
            // From 1 at the end of the rise to nearly nothing at the last step; what comes after it, if anything, stays there.
            _ => 0.5 * (1 + Math.Cos(Math.PI * Math.Min(1, (step - 1 - rise) / Math.Max(1, steps - rise)))),
        };
    }
}

/// <summary>What becomes of the learning rate after its rise.</summary>
public enum LearningRateSchedule
{
    Constant,

    /// <summary>Falls to nothing along half a cosine (Loshchilov &amp; Hutter 2017, without restarts).</summary>
    Cosine,
}
