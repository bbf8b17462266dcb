using GrpcRec.Training.Datasets;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Evaluation;

/// <summary>
/// Binary tasks from rates alone: the log-odds of the overall rate, plus what the user's rate, the item's and each context value's add to it.
/// A rate of n rows with c positives is smoothed to (c + a·r) / (n + a), r the overall rate, so that what was never seen adds nothing.
/// </summary>
internal static class SmoothedRates
{
    /// <summary>a: rows of the overall rate that every user, item and context value is given.</summary>
    public const double Smoothing = 20;

    /// <param name="tasks">Binary ones.</param>
    /// <param name="contexts">Each [N] ids; 0, an unknown value, is a value too.</param>
    public static Dictionary<string, double> Measure(SequenceDataset dataset, TaskLabels[] tasks, ushort[][] contexts, SplitRole part)
    {
        var metrics = new Dictionary<string, double>();
        foreach (var task in tasks)
            Measure(dataset, task, contexts, part, metrics);
        var areas = tasks.Where(task => metrics.ContainsKey("auc/" + task.Name)).Select(task => metrics["auc/" + task.Name]).ToArray();
        if (areas.Length > 0)
            metrics["auc/mean"] = areas.Average();
        return metrics;
    }

    private static void Measure(SequenceDataset dataset, TaskLabels task, ushort[][] contexts, SplitRole part, Dictionary<string, double> metrics)
    {
        // 1. Count positives and rows, overall and by key.
        var users = new Rates(dataset.SequenceCount);
        var items = new Rates(dataset.Items.Count);
        var values = contexts.Select(_ => new Dictionary<ushort, (double Positives, double Rows)>()).ToArray();
        double positives = 0, rows = 0;
        ForEach(SplitRole.Train, (s, t, label) =>
        {
            rows++;
            positives += label;
            users.Add(s, label);
            items.Add(dataset.ItemIds[t], label);
            for (var c = 0; c < contexts.Length; c++)
            {
                var (p, n) = values[c].GetValueOrDefault(contexts[c][t]);
                values[c][contexts[c][t]] = (p + label, n + 1);
            }
        });
        if (positives == 0 || positives == rows)
            return; // no odds to start from

        // 2. Score the part.
        var overall = positives / rows;
        var binary = new BinaryMetrics();
        ForEach(part, (s, t, label) =>
        {
            var logOdds = LogOdds(overall) + Adds(users.Of(s)) + Adds(items.Of(dataset.ItemIds[t]));
            for (var c = 0; c < contexts.Length; c++)
                logOdds += Adds(values[c].GetValueOrDefault(contexts[c][t]));
            binary.Add(s, (float)(1 / (1 + Math.Exp(-logOdds))), label > 0);
        });
        if (binary.Count > 0)
            binary.AddTo(metrics, task.Name);

        double Adds((double Positives, double Rows) rate) =>
            LogOdds((rate.Positives + (Smoothing * overall)) / (rate.Rows + Smoothing)) - LogOdds(overall);

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

    private static double LogOdds(double rate) => Math.Log(rate / (1 - rate));

    private sealed class Rates(int keys)
    {
        private readonly int[] _positives = new int[keys];
        private readonly int[] _rows = new int[keys];

        public void Add(int key, float label)
        {
            _rows[key]++;
            if (label > 0)
                _positives[key]++;
        }

        public (double Positives, double Rows) Of(int key) => (_positives[key], _rows[key]);
    }
}
