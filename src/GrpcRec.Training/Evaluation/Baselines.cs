using GrpcRec.Engine.Models;
using GrpcRec.Training.CollaborativeFiltering;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Evaluation;

/// <summary>
/// What a model must beat: rules counted from the training part, measured on the same targets and with the same metrics.
/// next_item: <c>popularity</c>, <c>markov-1</c>, <c>item-knn</c> and <c>mf</c>. Binary: <c>rates</c>, and <c>rates+context</c> where there are context columns.
/// Multi-class: <c>prior</c>, the classes' shares. Regression: <c>mean</c>, <see cref="SmoothedMeans"/>.
/// </summary>
public static class Baselines
{
    /// <param name="dataset">Split.</param>
    /// <param name="part">Train is learnt from whatever the part; measured are the targets of this one.</param>
    /// <param name="contextColumns">
    /// Context columns that hold what is known before the outcome (a page, a device). Only the caller knows which.
    /// </param>
    /// <param name="learned">
    /// item-knn and mf too, which take a share of a training's time and, for mf, a pass over the catalogue for each target; false: what is counted in seconds.
    /// </param>
    /// <returns>Metrics by baseline. A baseline that no task needs, or that has nothing to learn from or to measure, is left out.</returns>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> Evaluate(
        SequenceDataset dataset,
        IReadOnlyList<TaskDefinition> tasks,
        EvaluationPlan plan,
        SplitRole part,
        IReadOnlyList<string>? contextColumns = null,
        bool learned = true,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(plan);
        var labels = TaskLabels.Build(dataset, tasks);
        var results = new SortedDictionary<string, IReadOnlyDictionary<string, double>>(StringComparer.Ordinal);

        if (labels.Any(task => task.Kind == TaskKind.NextItem))
        {
            var popularity = new PopularityBaseline(dataset);
            KeepRanking("popularity", popularity);
            KeepRanking("markov-1", new NeighbourBaseline(Successors.Count(dataset, popularity, cancellation: cancellation), popularity, Successors.Reach, decay: 1));
            if (learned)
            {
                KeepRanking("item-knn", new NeighbourBaseline(ItemNeighbours.Count(dataset, cancellation: cancellation), popularity, ItemNeighbours.Reach, ItemNeighbours.Decay));
                if (BprFactors.Learn(dataset, cancellation: cancellation) is { } factors)
                    KeepRanking("mf", new FactorBaseline(factors, popularity));
            }
        }

        var binary = labels.Where(task => task.Kind == TaskKind.Binary).ToArray();
        Keep("rates", SmoothedRates.Measure(dataset, binary, [], part));
        if (contextColumns is { Count: > 0 })
        {
            var columns = contextColumns.Select(name => dataset.Contexts.TryGetValue(name, out var column)
                ? column.Ids
                : throw new ArgumentException($"The data has no context column \"{name}\".", nameof(contextColumns)));
            Keep("rates+context", SmoothedRates.Measure(dataset, binary, [.. columns], part));
        }

        Keep("prior", ClassPrior.Measure(dataset, [.. labels.Where(task => task.Kind == TaskKind.Multiclass)], part));
        Keep("mean", SmoothedMeans.Measure(dataset, [.. labels.Where(task => task.Kind == TaskKind.Regression)], part));
        return results;

        void KeepRanking(string name, INextItemBaseline baseline) => Keep(name, NextItemEvaluation.Measure(baseline, dataset, plan, part, cancellation));

        void Keep(string name, Dictionary<string, double> metrics)
        {
            if (metrics.Count > 0)
                results[name] = metrics;
        }
    }
}
