using GrpcRec.Training.Datasets;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Evaluation;

/// <summary>Multi-class tasks from the classes' shares in training alone, each class given one row more than it has.</summary>
internal static class ClassPrior
{
    /// <param name="tasks">Multi-class ones.</param>
    public static Dictionary<string, double> Measure(SequenceDataset dataset, TaskLabels[] tasks, SplitRole part)
    {
        var metrics = new Dictionary<string, double>();
        foreach (var task in tasks)
        {
            var counts = new double[task.ClassNames.Length];
            Array.Fill(counts, 1);
            ForEach(SplitRole.Train, label => counts[label]++);
            var total = counts.Sum();
            var shares = Array.ConvertAll(counts, count => (float)(count / total));
            var multiclass = new MulticlassMetrics(shares.Length);
            ForEach(part, label => multiclass.Add(shares, label));
            if (multiclass.Count > 0)
                multiclass.AddTo(metrics, task.Name);

            void ForEach(SplitRole role, Action<int> take)
            {
                for (var t = 0; t < dataset.EventCount; t++)
                {
                    if (dataset.Roles[t] == role && !float.IsNaN(task.Label[t]))
                        take((int)task.Label[t]);
                }
            }
        }

        return metrics;
    }
}
