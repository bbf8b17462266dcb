using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Evaluation;

/// <summary>What an engine says of each task but next_item, for one slot and one candidate item.</summary>
public sealed class TaskLogits
{
    private readonly IStepEngine _engine;
    private readonly float[] _candidate, _sequence;
    private readonly (bool OfCandidate, int Column, int Width)[] _places;

    /// <param name="tasks">As the model was trained, in the manifest's order.</param>
    public TaskLogits(IStepEngine engine, IReadOnlyList<TaskLabels> tasks)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(tasks);
        _engine = engine;
        _candidate = new float[tasks.Any(task => task.NeedsCandidate && task.Kind != TaskKind.NextItem) ? engine.CandidateWidth : 0];
        _sequence = new float[engine.SequenceWidth];
        _places = new (bool, int, int)[tasks.Count];
        int candidateColumn = 0, sequenceColumn = 0;
        for (var k = 0; k < tasks.Count; k++)
        {
            var width = Math.Max(1, tasks[k].ClassNames.Length);
            ref var column = ref tasks[k].NeedsCandidate ? ref candidateColumn : ref sequenceColumn;
            _places[k] = (tasks[k].NeedsCandidate, column, width);
            column += width;
        }
    }

    /// <param name="slot">Stands after the event before the candidate.</param>
    /// <param name="item">Dense id.</param>
    /// <param name="request">Indices of the request's features; empty: nothing is known.</param>
    public void Score(Slot slot, int item, ReadOnlySpan<int> request = default)
    {
        if (_candidate.Length > 0)
            _engine.ScoreCandidates(slot, request, [item], _candidate);
        if (_sequence.Length > 0)
            _engine.ScoreSequence(slot, _sequence);
    }

    /// <param name="task">Index of one that is not next_item.</param>
    /// <returns>[C] until the next <see cref="Score"/>; the caller may overwrite them.</returns>
    public Span<float> Of(int task)
    {
        var (ofCandidate, column, width) = _places[task];
        return (ofCandidate ? _candidate : _sequence).AsSpan(column, width);
    }
}
