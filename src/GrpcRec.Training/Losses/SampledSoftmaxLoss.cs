using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Losses;

/// <summary>
/// Cross-entropy of the target against drawn items (Bengio &amp; Sénécal 2008). A drawn item's logit less the log of its expected count makes
/// e^target + Σ e^(drawn) an unbiased estimate of the whole catalogue's sum; so the target, which is always there, is not corrected, and
/// where it is drawn by chance that draw is left out.
/// </summary>
internal sealed class SampledSoftmaxLoss(NegativeSampler sampler) : NextItemLoss
{
    public override void Draw() => sampler.Draw();

    public override (double Loss, Tensor Part) Compute(Tensor query, TaskHeads heads, LabelledRows rows)
    {
        using var scope = NewDisposeScope();
        var targets = rows.Targets;
        var (target, drawn) = SampledScores.Compute(query, heads, targets, sampler.Sample);
        var corrected = where(sampler.Hits(targets), tensor(float.NegativeInfinity), drawn - tensor(sampler.LogExpected));
        var loss = (cat([target, corrected], 1).logsumexp(1) - target.squeeze(1)).mean();
        return (loss.item<float>(), loss.MoveToOuterDisposeScope());
    }
}

/// <summary>Scores of targets and of one sample.</summary>
internal static class SampledScores
{
    /// <returns>[N, 1] and [N, M] logits, biases included.</returns>
    public static (Tensor Target, Tensor Drawn) Compute(Tensor query, TaskHeads heads, long[] targets, long[] sample)
    {
        // One gather for both: its way back adds into the table's gradient once.
        var rows = heads.OutputEmbedding.index_select(0, tensor((long[])[.. targets, .. sample]));
        var biases = heads.ItemBias.index_select(0, tensor((long[])[.. targets, .. sample]));
        var target = (query * rows.narrow(0, 0, targets.Length)).sum(1, keepdim: true) + biases.narrow(0, 0, targets.Length).unsqueeze(1);
        return (target, addmm(biases.narrow(0, targets.Length, sample.Length), query, rows.narrow(0, targets.Length, sample.Length).t(), 1, 1));
    }
}
