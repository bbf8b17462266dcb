using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Relatedness;

/// <summary>The comparison that a multi-task model owes: each of its tasks alone, with the same network, settings, seed and data.</summary>
public static class SingleTaskTrainings
{
    /// <summary>Trains one model for each task; none is kept.</summary>
    /// <param name="checkpointDirectory">One directory a task is made below it, so that a run that was cut off is taken up.</param>
    /// <param name="progress">Told of each training, with its task's name.</param>
    /// <returns>Test metrics by task.</returns>
    /// <inheritdoc cref="ModelTrainer.Train" path="/exception"/>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> Run(
        SequenceDataset data, TrainingPlan plan, string checkpointDirectory, Func<string, IProgress<TrainingProgressReport>?> progress, TimeProvider clock,
        CancellationToken cancellation, Action<string>? note = null)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(progress);
        var metrics = new Dictionary<string, IReadOnlyDictionary<string, double>>(StringComparer.Ordinal);
        var scratch = Directory.CreateTempSubdirectory("grpcrec-single-");
        try
        {
            foreach (var task in plan.Tasks)
            {
                // A weight alone in the loss is a learning rate in disguise.
                TaskDefinition only = task with { Weight = 1, Given = null };
                var network = FeatureRules.FittedTo(plan.Architecture, TaskLabels.Build(data, [only])[0]);
                var alone = plan with { Tasks = [only], ModelVersion = task.Name, Architecture = network };
                metrics[task.Name] = ModelTrainer.Train(
                    data, alone, Path.Combine(checkpointDirectory, "single-" + task.Name), Path.Combine(scratch.FullName, task.Name),
                    progress(task.Name), clock, cancellation, note: note is null ? null : line => note($"{task.Name} alone: {line}")).Metrics;
            }
        }
        finally
        {
            scratch.Delete(recursive: true);
        }

        return metrics;
    }
}
