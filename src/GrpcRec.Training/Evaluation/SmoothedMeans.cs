using GrpcRec.Training.Datasets;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Evaluation;

/// <summary>Regression tasks from means alone: the overall one, plus what the user's and the item's add to it, each given some rows of the overall one.</summary>
internal static class SmoothedMeans
{
    /// <param name="tasks">Regression ones.</param>
    public static Dictionary<string, double> Measure(SequenceDataset dataset, TaskLabels[] tasks, SplitRole part)
    {
        var metrics = new Dictionary<string, double>();
        foreach (var task in tasks)
        {
            // 1. Sums of what exceeds the overall mean, which is the task's offset.
            var (overall, rows) = (task.Standard.Offset, 0);
            var users = new (double Sum, int Rows)[dataset.SequenceCount];
            var items = new (double Sum, int Rows)[dataset.Items.Count];
            ForEach(SplitRole.Train, (s, t, label) =>
            {
                rows++;
                users[s] = (users[s].Sum + label - overall, users[s].Rows + 1);
                ref var item = ref items[dataset.ItemIds[t]];
                item = (item.Sum + label - overall, item.Rows + 1);
            });
            if (rows == 0)
                continue;

            // 2. Measure the part.
            var regression = new RegressionMetrics();
            ForEach(part, (s, t, label) => regression.Add(overall + Adds(users[s]) + Adds(items[dataset.ItemIds[t]]), label));
            if (regression.Count > 0)
                regression.AddTo(metrics, task.Name);

            void ForEach(SplitRole role, Action<int, int, float> take)
            {
                for (var s = 0; s < dataset.SequenceCount; s++)
                {
                    for (var t = dataset.Offsets[s]; t < dataset.Offsets[s + 1]; t++)
                    {
                        if (dataset.Roles[t] == role && !float.IsNaN(task.Label[t]))
                            take(s, t, task.Label[t]);
                    }
                }
            }
        }

        return metrics;
    }

    private static double Adds((double Sum, int Rows) mean) => mean.Sum / (mean.Rows + SmoothedRates.Smoothing);
}
