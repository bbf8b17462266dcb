using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Training.CollaborativeFiltering;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Evaluation;

/// <summary>
/// Scores targets through an engine, every task that has a label there. The catalogue is ranked as serving ranks it: the best K, K the largest
/// cut-off, of all items but the hidden ones, exactly. Further down no metric asks where the target stands.
/// </summary>
internal sealed class TargetScorer
{
    private readonly IStepEngine _engine;
    private readonly SequenceDataset _dataset;
    private readonly ModelInputs _inputs;
    private readonly IReadOnlyList<TaskLabels> _tasks;
    private readonly TaskLogits _logits;
    private readonly int _depth;
    private readonly SeenItems? _hidden;
    private float[] _catalog = [];

    public TargetScorer(IStepEngine engine, SequenceDataset dataset, IReadOnlyList<TaskLabels> tasks, ModelInputs inputs, EvaluationPlan plan)
    {
        _engine = engine;
        _dataset = dataset;
        _inputs = inputs;
        _tasks = tasks;
        var ranks = tasks.Any(task => task.Kind == TaskKind.NextItem);
        _depth = ranks ? Math.Min(plan.Cutoffs.Max(), engine.CatalogSize) : 0;
        _logits = new TaskLogits(engine, tasks);
        _hidden = plan.MaskSeen ? new SeenItems(engine.CatalogSize) : null;
        Metrics = new TaskMetrics(tasks, plan.Cutoffs, ranks ? engine.CatalogSize : 0, inputs.Manifest.Tasks.Select(task => (task.Offset, task.Scale)));
    }

    public TaskMetrics Metrics { get; }

    /// <summary>A request feature, by its name, that is not to be known.</summary>
    public string? UnknownRequest { get; init; }

    /// <param name="standing">Slots that stand after the event before their target.</param>
    public void Score(IReadOnlyList<(Slot Slot, int Sequence, int Target)> standing)
    {
        if (_depth > 0)
            Rank(standing);
        foreach (var (slot, sequence, target) in standing)
            ScoreTasks(slot, sequence, target);
    }

    private void ScoreTasks(Slot slot, int sequence, int target)
    {
        _logits.Score(slot, _dataset.ItemIds[target], _inputs.RequestOf(target, UnknownRequest));
        for (var k = 0; k < _tasks.Count; k++)
        {
            var task = _tasks[k];
            if (task.Kind == TaskKind.NextItem || float.IsNaN(task.Label[target]))
                continue;
            var logits = _logits.Of(k);
            foreach (var logit in logits)
            {
                if (!float.IsFinite(logit))
                    throw NotFinite(task.Name, sequence);
            }

            Metrics.AddLogits(k, sequence, logits, task.Label[target]);
        }
    }

    private void Rank(IReadOnlyList<(Slot Slot, int Sequence, int Target)> standing)
    {
        var queries = new RankQuery[standing.Count];
        for (var q = 0; q < queries.Length; q++)
            queries[q] = new RankQuery { Slot = standing[q].Slot, K = _depth, Excluded = Hidden(standing[q].Sequence, standing[q].Target) };
        _engine.Rank(queries);
        for (var q = 0; q < queries.Length; q++)
        {
            var (slot, sequence, target) = standing[q];
            var best = queries[q].Result;
            for (var place = 0; place < best.Length; place++)
            {
                if (!float.IsFinite(best[place].Score))
                    throw NotFinite("next_item", sequence);
                Metrics.AddRecommended(best[place].Item, place + 1);
            }

            Metrics.AddRank(sequence, RankOf(_dataset.ItemIds[target], best, slot, queries[q].Excluded));
        }
    }

    /// <summary>
    /// 1 + items that score as much or more, unless the engine puts those in an order that means something. A target that is not among the best scores no more than the last of them, which is rank K + 1
    /// or worse; one whose equals reach the end of the list may have more of them past it, and those are counted.
    /// </summary>
    private int RankOf(int item, RankedItem[] best, Slot slot, int[] excluded)
    {
        var place = Array.FindIndex(best, ranked => ranked.Item == item);
        if (place < 0)
            return _depth + 1;
        if (_engine.RanksEqualScores)
            return place + 1;
        var score = best[place].Score;
        while (place + 1 < best.Length && best[place + 1].Score == score)
            place++;
        return place + 1 < best.Length || best.Length < _depth ? place + 1 : RankInAll(item, slot, excluded);
    }

    private int RankInAll(int item, Slot slot, int[] excluded)
    {
        if (_catalog.Length == 0)
            _catalog = new float[_engine.CatalogSize];
        _engine.ScoreCatalog(slot, _catalog);
        foreach (var hidden in excluded)
            _catalog[hidden] = float.NegativeInfinity;
        var score = _catalog[item];
        return _catalog.Count(other => other >= score); // it equals itself
    }

    /// <summary>Items of the whole sequence before the target, beyond the model's window too; never the target itself. Ascending.</summary>
    private int[] Hidden(int sequence, int target)
    {
        if (_hidden is null)
            return [];
        _hidden.Clear();
        for (var t = _dataset.Offsets[sequence]; t < target; t++)
        {
            if (_dataset.ItemIds[t] != _dataset.ItemIds[target])
                _hidden.Add(_dataset.ItemIds[t]);
        }

        return [.. _hidden.Items.Order()];
    }

    private static EvaluationException NotFinite(string task, int sequence) =>
        new($"Task {task} has a score that is not finite after sequence {sequence}; the model is damaged.");
}
