using GrpcRec.Training.Datasets;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Evaluation;

/// <summary>How often each item has a binary task's outcome in the training part, smoothed as in <see cref="SmoothedRates"/>.</summary>
internal static class ItemRates
{
    /// <param name="given">The task whose outcome is needed first: only rows that have it are counted. Null: none.</param>
    /// <returns>The log-odds of all rows, and [V] what each item adds to it; zeros where no row tells.</returns>
    public static (float All, float[] Items) LogOdds(SequenceDataset dataset, TaskLabels task, TaskLabels? given)
    {
        var positives = new int[dataset.Items.Count];
        var rows = new int[dataset.Items.Count];
        for (var t = 0; t < dataset.EventCount; t++)
        {
            if (dataset.Roles[t] != SplitRole.Train || float.IsNaN(task.Label[t]) || (given is not null && !(given.Label[t] > 0)))
                continue;
            rows[dataset.ItemIds[t]]++;
            if (task.Label[t] > 0)
                positives[dataset.ItemIds[t]]++;
        }

        var items = new float[rows.Length];
        var (hits, count) = (positives.Sum(one => (long)one), rows.Sum(one => (long)one));
        if (hits == 0 || hits == count)
            return (0, items);
        var all = (double)hits / count;
        for (var item = 0; item < items.Length; item++)
        {
            var rate = (positives[item] + (SmoothedRates.Smoothing * all)) / (rows[item] + SmoothedRates.Smoothing);
            items[item] = (float)(Odds(rate) - Odds(all));
        }

        return ((float)Odds(all), items);
    }

    private static double Odds(double rate) => Math.Log(rate / (1 - rate));
}
