using System.Globalization;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Relatedness;

/// <summary>What a task has of its company.</summary>
/// <param name="Metric"><see cref="HeadlineMetric"/>, test split.</param>
/// <param name="MultiTask">Of the model of all tasks.</param>
/// <param name="SingleTask">Of a model of this task alone, trained in the same way.</param>
public sealed record TaskGain(string Task, string Metric, double MultiTask, double SingleTask)
{
    /// <summary>Above 0: the company helps.</summary>
    public double Gain => MultiTask - SingleTask;
}

/// <summary>How the tasks of one model stand to each other: on the way (gradients) and in the end (what each gains).</summary>
/// <param name="Cosines">[K][K] mean cosines between the tasks' gradients on shared parameters, over all epochs; NaN: never met.</param>
/// <param name="Gains">Empty when no single-task models were trained.</param>
/// <param name="Warnings">Sentences for a person.</param>
public sealed record TaskRelatedness(
    IReadOnlyList<string> Tasks, double[][] Cosines, IReadOnlyList<TaskGain> Gains, IReadOnlyList<string> Warnings)
{
    /// <summary>Below this two tasks are said to pull apart: means over an epoch's looks stray by a few hundredths by chance.</summary>
    public const double ConflictCosine = -0.05;

    /// <summary>Differences up to this are what another seed does: the standard deviation of AUCs on KuaiRand is 0.001 to 0.002.</summary>
    public const double GainOfChance = 0.002;

    /// <param name="metrics">Of the model of all tasks, test split.</param>
    /// <param name="singleTask">Of each task's own model, by task; null: not trained.</param>
    /// <returns>Null for a model of one task.</returns>
    public static TaskRelatedness? Of(
        IReadOnlyList<TaskDefinition> tasks, IReadOnlyList<EpochRecord> history, IReadOnlyDictionary<string, double> metrics,
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>>? singleTask = null)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        ArgumentNullException.ThrowIfNull(history);
        ArgumentNullException.ThrowIfNull(metrics);
        if (tasks.Count < 2)
            return null;
        var cosines = MeanCosines(tasks.Count, history);
        var gains = new List<TaskGain>();
        foreach (var task in singleTask is null ? [] : tasks)
        {
            var metric = HeadlineMetric.Of(task.Kind, task.Name);
            if (singleTask!.TryGetValue(task.Name, out var alone) && alone.TryGetValue(metric, out var single) && metrics.TryGetValue(metric, out var multi))
                gains.Add(new TaskGain(task.Name, metric, multi, single));
        }

        return new TaskRelatedness([.. tasks.Select(task => task.Name)], cosines, gains, [.. Conflicts(tasks, cosines), .. Seesaws(gains)]);
    }

    private static double[][] MeanCosines(int tasks, IReadOnlyList<EpochRecord> history)
    {
        var means = new double[tasks][];
        for (var i = 0; i < tasks; i++)
        {
            means[i] = new double[tasks];
            for (var j = 0; j < tasks; j++)
            {
                var known = history.Where(epoch => epoch.GradientCosines is not null).Select(epoch => epoch.GradientCosines![i][j]).Where(double.IsFinite).ToArray();
                means[i][j] = known.Length > 0 ? known.Average() : double.NaN;
            }
        }

        return means;
    }

    private static IEnumerable<string> Conflicts(IReadOnlyList<TaskDefinition> tasks, double[][] cosines)
    {
        for (var i = 0; i < tasks.Count; i++)
        {
            for (var j = i + 1; j < tasks.Count; j++)
            {
                if (cosines[i][j] < ConflictCosine)
                    yield return string.Create(CultureInfo.InvariantCulture, $"{tasks[i].Name} and {tasks[j].Name} pull the shared parameters apart (mean cosine {cosines[i][j]:F2}); try pcgrad or cagrad, or a trunk with experts of each task's own.");
            }
        }
    }

    private static IEnumerable<string> Seesaws(List<TaskGain> gains)
    {
        var losers = gains.Where(gain => gain.Gain < -GainOfChance).ToArray();
        var winners = gains.Where(gain => gain.Gain > GainOfChance).ToArray();
        if (losers.Length > 0 && winners.Length > 0)
            yield return $"A seesaw: {Names(winners)} gain{(winners.Length == 1 ? "s" : "")} by the company, at the price of {Names(losers)}.";
        else if (losers.Length > 0)
            yield return $"{Names(losers)} would do better alone, and nobody gains by the company.";
    }

    private static string Names(TaskGain[] gains) =>
        string.Join(", ", gains.Select(gain => string.Create(CultureInfo.InvariantCulture, $"{gain.Task} ({gain.Gain:+0.0000;-0.0000})")));
}
