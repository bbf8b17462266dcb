using GrpcRec.Engine.Models;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Evaluation;

/// <summary>The metrics of all tasks of one model, and auc/mean over its binary tasks.</summary>
internal sealed class TaskMetrics
{
    private readonly IReadOnlyList<TaskLabels> _tasks;
    private readonly RankingMetrics _ranking;
    private readonly BinaryMetrics?[] _binary;
    private readonly MulticlassMetrics?[] _multiclass;

    public TaskMetrics(IReadOnlyList<TaskLabels> tasks, IReadOnlyList<int> cutoffs)
    {
        _tasks = tasks;
        _ranking = new RankingMetrics(cutoffs);
        _binary = [.. tasks.Select(task => task.Kind == TaskKind.Binary ? new BinaryMetrics() : null)];
        _multiclass = [.. tasks.Select(task => task.Kind == TaskKind.Multiclass ? new MulticlassMetrics(task.ClassNames.Length) : null)];
    }

    public void AddRank(int rank) => _ranking.Add(rank);

    /// <param name="logits">[C] of a binary or multiclass task; overwritten.</param>
    public void AddLogits(int task, int sequence, Span<float> logits, float label)
    {
        if (_binary[task] is { } binary)
            binary.Add(sequence, 1 / (1 + MathF.Exp(-logits[0])), label > 0.5f);
        else
        {
            Softmax(logits);
            _multiclass[task]!.Add(logits, (int)label);
        }
    }

    private static void Softmax(Span<float> logits)
    {
        var largest = float.NegativeInfinity;
        foreach (var logit in logits)
            largest = Math.Max(largest, logit);
        var sum = 0f;
        foreach (ref var logit in logits)
            sum += logit = MathF.Exp(logit - largest);
        foreach (ref var logit in logits)
            logit /= sum;
    }

    public IReadOnlyDictionary<string, double> ToDictionary()
    {
        var metrics = new SortedDictionary<string, double>(StringComparer.Ordinal);
        _ranking.AddTo(metrics);
        var areas = new List<double>();
        for (var k = 0; k < _tasks.Count; k++)
        {
            _binary[k]?.AddTo(metrics, _tasks[k].Name);
            _multiclass[k]?.AddTo(metrics, _tasks[k].Name);
            if (_binary[k] is not null && metrics.TryGetValue("auc/" + _tasks[k].Name, out var area))
                areas.Add(area);
        }

        if (areas.Count > 0)
            metrics["auc/mean"] = areas.Average();
        return metrics;
    }
}
