using GrpcRec.Engine.Models;

namespace GrpcRec.Training.Relatedness;

/// <summary>The one number by which a task is judged beside others.</summary>
public static class HeadlineMetric
{
    /// <returns>A key of a model's metrics; the larger value is the better.</returns>
    public static string Of(TaskKind kind, string task) => kind switch
    {
        TaskKind.NextItem => "ndcg@10",
        TaskKind.Binary => "auc/" + task,
        TaskKind.Multiclass => "accuracy/" + task,
        TaskKind.Regression => "r2/" + task,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "A kind without a headline."),
    };
}
