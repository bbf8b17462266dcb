using GrpcRec.Engine.Models;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Worlds;

/// <summary>
/// Measures the true distributions on each user's last event, as a model is measured on the leave-one-out test. It knows the hidden state,
/// which a model must infer from the events: no model does better but by luck, and a good one comes close.
/// </summary>
internal sealed class WorldOracle(WorldRecipe recipe)
{
    private readonly RankingMetrics _ranking = new(new EvaluationPlan().Cutoffs);
    private readonly MulticlassMetrics _categories = new(recipe.Clusters.Count);
    private readonly Dictionary<string, BinaryMetrics> _binary =
        recipe.Tasks.Where(task => task.Kind == TaskKind.Binary).ToDictionary(task => task.Name, _ => new BinaryMetrics());

    /// <summary>One test event with the probabilities that it was drawn from.</summary>
    /// <param name="completed">Ignored, with its probability, where the world's events have no value.</param>
    public void Add(
        int user, ReadOnlySpan<double> clusters, ReadOnlySpan<double> items, ReadOnlySpan<double> behaviors, double completion,
        int cluster, int item, int behavior, bool completed)
    {
        var rank = 1;
        for (var other = 0; other < items.Length; other++)
        {
            if (items[other] > items[item] || (items[other] == items[item] && other < item))
                rank++;
        }

        _ranking.Add(rank);
        Span<float> shares = stackalloc float[clusters.Length];
        for (var c = 0; c < clusters.Length; c++)
            shares[c] = (float)clusters[c];
        _categories.Add(shares, cluster);

        foreach (var task in recipe.Tasks.Where(task => task.Kind == TaskKind.Binary))
        {
            if (task.Label is LabelSource.Behaviors wanted)
            {
                double probability = 0;
                var label = false;
                for (var b = 0; b < behaviors.Length; b++)
                {
                    if (!wanted.Names.Contains(recipe.Behaviors[b].Name))
                        continue;
                    probability += behaviors[b];
                    label |= b == behavior;
                }

                _binary[task.Name].Add(user, (float)Math.Min(probability, 1), label);
            }
            else
            {
                _binary[task.Name].Add(user, (float)completion, completed);
            }
        }
    }

    public IReadOnlyDictionary<string, double> Metrics()
    {
        var metrics = new SortedDictionary<string, double>(StringComparer.Ordinal);
        _ranking.AddTo(metrics);
        _categories.AddTo(metrics, recipe.Tasks.Single(task => task.Kind == TaskKind.Multiclass).Name);
        foreach (var (task, binary) in _binary)
            binary.AddTo(metrics, task);
        var areas = _binary.Keys.Where(task => metrics.ContainsKey("auc/" + task)).Select(task => metrics["auc/" + task]).ToArray();
        if (areas.Length > 0)
            metrics["auc/mean"] = areas.Average();
        return metrics;
    }
}
