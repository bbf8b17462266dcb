using GrpcRec.Engine.Models;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Learning;

/// <summary>
/// What makes one epoch better than another, on the validation split: ndcg@10 for a model with next_item; else the mean AUC of the binary
/// tasks; else, where neither is defined, the weighted sum of log-losses, negated; else that of the regressions' errors in standard
/// deviations. Without a validation split the last epoch wins.
/// </summary>
internal static class SelectionCriterion
{
    public const int RankingCutoff = 10;
    public const string LastEpoch = "last epoch";

    /// <returns>The criterion's name and its value; the larger value is the better.</returns>
    public static (string Name, double Value) Of(IReadOnlyDictionary<string, double> validation, IReadOnlyList<TaskLabels> tasks, int epoch)
    {
        if (tasks.Any(task => task.Kind == TaskKind.NextItem) && validation.TryGetValue($"ndcg@{RankingCutoff}", out var gain))
            return ($"ndcg@{RankingCutoff}", gain);
        if (validation.TryGetValue("auc/mean", out var area))
            return ("auc/mean", area);
        var explained = tasks.Where(task => validation.ContainsKey("rmse/" + task.Name)).ToList();
        var losses = tasks.Where(task => validation.ContainsKey("logloss/" + task.Name)).ToList();
        if (losses.Count > 0)
            return ("logloss", -losses.Sum(task => task.Definition.Weight * validation["logloss/" + task.Name]));
        return explained.Count > 0
            ? ("rmse", -explained.Sum(task => task.Definition.Weight * validation["rmse/" + task.Name] / task.Standard.Scale))
            : (LastEpoch, epoch);
    }
}
