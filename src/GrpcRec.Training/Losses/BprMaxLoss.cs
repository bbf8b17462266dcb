using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.Losses;

/// <summary>
/// BPR-max (Hidasi &amp; Karatzoglou, CIKM 2018): -log Σⱼ sⱼ·σ(r - rⱼ) + λ Σⱼ sⱼ·rⱼ², s the softmax over the drawn items' scores rⱼ, so that what
/// counts is the strongest of them. Draws of the target itself are left out.
/// </summary>
internal sealed class BprMaxLoss(NegativeSampler sampler, double penalty) : NextItemLoss
{
    public override void Draw() => sampler.Draw();

    public override (double Loss, Tensor Part) Compute(Tensor query, TaskHeads heads, LabelledRows rows)
    {
        using var scope = NewDisposeScope();
        var targets = rows.Targets;
        var (target, drawn) = SampledScores.Compute(query, heads, targets, sampler.Sample);
        // A finite floor: a row whose every draw is its target would otherwise be no number. Its weights are even then, and it is left out below.
        var hits = sampler.Hits(targets);
        var nothing = tensor(-1e9f);
        var logShares = F.log_softmax(where(hits, nothing, drawn), 1);
        var preference = where(hits, nothing, logShares + F.logsigmoid(target - drawn)).logsumexp(1).neg();
        var size = (logShares.exp() * drawn * drawn).sum(1);
        var counts = hits.logical_not().any(1).to(ScalarType.Float32);
        var loss = ((preference + (size * tensor((float)penalty))) * counts).sum() / maximum(counts.sum(), tensor(1f));
        return (loss.item<float>(), loss.MoveToOuterDisposeScope());
    }
}
