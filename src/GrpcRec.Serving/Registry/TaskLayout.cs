using GrpcRec.Engine.Models;

namespace GrpcRec.Serving.Registry;

/// <param name="Offset">First column of the task in its row of logits.</param>
public readonly record struct TaskColumn(TaskManifest Task, int Offset);

/// <summary>Where each task's logits stand in the rows that the engine gives (see <see cref="Engine.Steps.IStepEngine"/>).</summary>
public sealed class TaskLayout
{
    public TaskLayout(ModelManifest manifest)
    {
        (Candidate, CandidateWidth) = Arrange(manifest.Tasks.Where(task => task.NeedsCandidate));
        (Sequence, SequenceWidth) = Arrange(manifest.Tasks.Where(task => !task.NeedsCandidate));
        ByName = manifest.Tasks.ToDictionary(task => task.Name, StringComparer.Ordinal);
        NextItem = manifest.Tasks.FirstOrDefault(task => task.Kind == TaskKind.NextItem);
    }

    /// <summary>Tasks that need a candidate, in the manifest's order, with their columns in a row of <see cref="CandidateWidth"/>.</summary>
    public IReadOnlyList<TaskColumn> Candidate { get; }

    public int CandidateWidth { get; }

    /// <summary>Tasks of the sequence alone, in the manifest's order.</summary>
    public IReadOnlyList<TaskColumn> Sequence { get; }

    public int SequenceWidth { get; }

    public IReadOnlyDictionary<string, TaskManifest> ByName { get; }

    /// <summary>Null: the model cannot rank the catalogue.</summary>
    public TaskManifest? NextItem { get; }

    private static (IReadOnlyList<TaskColumn> Columns, int Width) Arrange(IEnumerable<TaskManifest> tasks)
    {
        List<TaskColumn> columns = [];
        var width = 0;
        foreach (var task in tasks)
        {
            columns.Add(new TaskColumn(task, width));
            width += task.OutputWidth;
        }

        return (columns, width);
    }
}
