using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Evaluation;

/// <summary>Scores one target after another through an engine, every task that has a label there.</summary>
internal sealed class TargetScorer
{
    private readonly IStepEngine _engine;
    private readonly SequenceDataset _dataset;
    private readonly IReadOnlyList<TaskLabels> _tasks;
    private readonly bool _ranks;
    private readonly float[] _catalog, _candidate, _sequence;
    private readonly SeenItems? _hidden;

    public TargetScorer(IStepEngine engine, SequenceDataset dataset, IReadOnlyList<TaskLabels> tasks, EvaluationPlan plan)
    {
        _engine = engine;
        _dataset = dataset;
        _tasks = tasks;
        _ranks = tasks.Any(task => task.Kind == TaskKind.NextItem);
        _catalog = new float[_ranks ? engine.CatalogSize : 0];
        _candidate = new float[tasks.Any(task => task.NeedsCandidate && task.Kind != TaskKind.NextItem) ? engine.CandidateWidth : 0];
        _sequence = new float[engine.SequenceWidth];
        _hidden = plan.MaskSeen ? new SeenItems(engine.CatalogSize) : null;
        Metrics = new TaskMetrics(tasks, plan.Cutoffs);
    }

    public TaskMetrics Metrics { get; }

    /// <param name="slot">Stands after the event before the target.</param>
    public void Score(Slot slot, int sequence, int target)
    {
        var item = _dataset.ItemIds[target];
        if (_ranks)
            Metrics.AddRank(Rank(slot, sequence, target, item));
        if (_candidate.Length > 0)
            _engine.ScoreCandidates(slot, [item], _candidate);
        if (_sequence.Length > 0)
            _engine.ScoreSequence(slot, _sequence);

        int candidateColumn = 0, sequenceColumn = 0;
        for (var k = 0; k < _tasks.Count; k++)
        {
            var task = _tasks[k];
            var width = Math.Max(1, task.ClassNames.Length);
            var logits = task.NeedsCandidate
                ? task.Kind == TaskKind.NextItem && _candidate.Length == 0 ? default : _candidate.AsSpan(candidateColumn, width)
                : _sequence.AsSpan(sequenceColumn, width);
            if (task.NeedsCandidate)
                candidateColumn += width;
            else
                sequenceColumn += width;
            if (task.Kind == TaskKind.NextItem || float.IsNaN(task.Label[target]))
                continue;
            foreach (var logit in logits)
            {
                if (!float.IsFinite(logit))
                    throw NotFinite(task.Name, sequence);
            }

            Metrics.AddLogits(k, sequence, logits, task.Label[target]);
        }
    }

    private int Rank(Slot slot, int sequence, int target, int item)
    {
        _engine.ScoreCatalog(slot, _catalog);
        var score = _catalog[item];
        if (!float.IsFinite(score))
            throw NotFinite("next_item", sequence);
        if (_hidden is not null)
        {
            // The whole sequence before the target, beyond the model's window too.
            _hidden.Clear();
            for (var t = _dataset.Offsets[sequence]; t < target; t++)
                _hidden.Add(_dataset.ItemIds[t]);
        }

        var rank = 1;
        for (var v = 0; v < _catalog.Length; v++)
        {
            if (_catalog[v] >= score && v != item && _hidden?.Contains(v) != true)
                rank++;
        }

        return rank;
    }

    private static EvaluationException NotFinite(string task, int sequence) =>
        new($"Task {task} has a score that is not finite after sequence {sequence}; the model is damaged.");
}
