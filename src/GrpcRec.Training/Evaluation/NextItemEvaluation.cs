using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;

namespace GrpcRec.Training.Evaluation;

/// <summary>A rule that orders the whole catalogue by the last item alone.</summary>
internal interface INextItemBaseline
{
    /// <param name="last">Item of the event before the target.</param>
    /// <param name="hidden">Left out of the ranking; the target never is.</param>
    /// <returns>From 1. Of equal items, the one with the lower id comes first.</returns>
    int Rank(int last, int target, SeenItems hidden);
}

/// <summary>Ranks every target of one part against all items.</summary>
internal static class NextItemEvaluation
{
    public static Dictionary<string, double> Measure(INextItemBaseline baseline, SequenceDataset dataset, EvaluationPlan plan, SplitRole part)
    {
        var ranking = new RankingMetrics(plan.Cutoffs);
        var hidden = new SeenItems(dataset.Items.Count);
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            hidden.Clear();
            for (var t = dataset.Offsets[s] + 1; t < dataset.Offsets[s + 1]; t++)
            {
                if (plan.MaskSeen)
                    hidden.Add(dataset.ItemIds[t - 1]);
                if (dataset.Roles[t] == part)
                    ranking.Add(baseline.Rank(dataset.ItemIds[t - 1], dataset.ItemIds[t], hidden));
            }
        }

        var metrics = new Dictionary<string, double>();
        ranking.AddTo(metrics);
        return metrics;
    }
}
