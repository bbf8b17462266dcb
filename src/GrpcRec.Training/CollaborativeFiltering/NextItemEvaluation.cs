using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>Ranks every target of one part against all items.</summary>
internal static class NextItemEvaluation
{
    public static Dictionary<string, double> Measure(
        INextItemBaseline baseline, SequenceDataset dataset, EvaluationPlan plan, SplitRole part, CancellationToken cancellation = default)
    {
        // 1. Ranks, by event, on all cores.
        var ranks = new int[dataset.EventCount];
        Parallel.For(
            0, dataset.SequenceCount,
            new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount },
            () => (Hidden: new SeenItems(dataset.Items.Count), Scores: new float[dataset.Items.Count]),
            (s, _, scratch) =>
            {
                scratch.Hidden.Clear();
                var start = dataset.Offsets[s];
                for (var t = start + 1; t < dataset.Offsets[s + 1]; t++)
                {
                    if (plan.MaskSeen)
                        scratch.Hidden.Add(dataset.ItemIds[t - 1]);
                    if (dataset.Roles[t] == part)
                        ranks[t] = baseline.Rank(new Past(s, dataset.ItemIds.AsSpan(start..t)), dataset.ItemIds[t], scratch.Hidden, scratch.Scores);
                }

                return scratch;
            },
            _ => { });

        // 2. Metrics, in the events' order.
        var ranking = new RankingMetrics(plan.Cutoffs);
        foreach (var rank in ranks)
        {
            if (rank > 0)
                ranking.Add(rank);
        }

        var metrics = new Dictionary<string, double>();
        ranking.AddTo(metrics);
        return metrics;
    }
}
