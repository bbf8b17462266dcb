using GrpcRec.Engine.Models;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Losses;

/// <summary>One way to train next_item.</summary>
internal abstract class NextItemLoss
{
    /// <summary>The loss that a plan names; the whole catalogue where the sample would be no smaller.</summary>
    /// <param name="items">Counts are what negatives are drawn by.</param>
    public static NextItemLoss Create(NextItemPlan plan, ItemCatalog items) => plan.Loss switch
    {
        _ when plan.Negatives >= items.Count && plan.Loss != NextItemLossKind.BprMax => Full(plan, items),
        NextItemLossKind.FullSoftmax => Full(plan, items),
        NextItemLossKind.SampledSoftmax => new SampledSoftmaxLoss(new NegativeSampler(items, plan.Negatives, plan.SamplingPower)),
        NextItemLossKind.BprMax => new BprMaxLoss(new NegativeSampler(items, plan.Negatives, plan.SamplingPower), plan.ScorePenalty),
        _ => throw new ArgumentOutOfRangeException(nameof(plan), plan.Loss, "not a loss"),
    };

    private static FullSoftmaxLoss Full(NextItemPlan plan, ItemCatalog items) => new(!plan.Float32Products && ReducedSoftmaxLoss.IsFaster(items.Count));

    /// <summary>Draws anew what is drawn once a step.</summary>
    public virtual void Draw()
    {
    }

    /// <param name="query">[N, E]</param>
    /// <param name="rows">[N] their targets, and what was read before each.</param>
    /// <returns>The mean loss, and a scalar whose gradient is the loss's (its value may not be). Of the caller's scope.</returns>
    public abstract (double Loss, Tensor Part) Compute(Tensor query, TaskHeads heads, LabelledRows rows);

    /// <param name="reduced">Products in bf16.</param>
    private sealed class FullSoftmaxLoss(bool reduced) : NextItemLoss
    {
        public override (double Loss, Tensor Part) Compute(Tensor query, TaskHeads heads, LabelledRows rows) =>
            reduced ? ReducedSoftmaxLoss.Compute(query, heads, rows) : FusedSoftmaxLoss.Compute(query, heads, rows);
    }
}

/// <summary>How next_item is trained.</summary>
public sealed record NextItemPlan
{
    public NextItemLossKind Loss { get; init; } = NextItemLossKind.FullSoftmax;

    /// <summary>
    /// The full softmax's products in float32 also where the processor multiplies bf16 faster; the same seed then learns alike on every processor, up
    /// to the order of sums.
    /// </summary>
    public bool Float32Products { get; init; }

    /// <summary>Items drawn for each step, shared by its events; not read for the full softmax.</summary>
    public int Negatives { get; init; } = 1024;

    /// <summary>Items are drawn in proportion to (count + 1) to this power: 0 evenly, 1 by popularity.</summary>
    public double SamplingPower { get; init; } = 0.75;

    /// <summary>bpr_max: weight of the penalty on the negatives' squared scores.</summary>
    public double ScorePenalty { get; init; } = 1;
}
