using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Relatedness;

/// <summary>What models of one task each came to.</summary>
/// <param name="Metrics">Test metrics by task.</param>
/// <param name="Probabilities">By binary task: [N] what its model says at the training split's targets, NaN elsewhere. Empty where none is to teach.</param>
internal sealed record SingleTaskModels(IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> Metrics, IReadOnlyDictionary<string, float[]> Probabilities);

/// <summary>
/// Each task alone, with the same network, settings, seed and data: the comparison that a multi-task model owes, and its teachers where it learns
/// by distillation.
/// </summary>
internal static class SingleTaskTrainings
{
    /// <summary>Trains one model for each task, or where there is nothing to compare for each that can teach; none is kept.</summary>
    /// <param name="checkpointDirectory">One directory a task is made below it, so that a run that was cut off is taken up.</param>
    /// <param name="progress">Told of each training, with its task's name.</param>
    /// <inheritdoc cref="ModelTrainer.Train" path="/exception"/>
    public static SingleTaskModels Run(
        SequenceDataset data, TrainingPlan plan, string checkpointDirectory, IProgress<TrainingProgressReport>? progress, TimeProvider clock,
        CancellationToken cancellation, Action<string>? note = null)
    {
        var metrics = new Dictionary<string, IReadOnlyDictionary<string, double>>(StringComparer.Ordinal);
        var probabilities = new Dictionary<string, float[]>(StringComparer.Ordinal);
        var scratch = Directory.CreateTempSubdirectory("grpcrec-single-");
        try
        {
            foreach (var task in plan.Tasks)
            {
                var teaches = plan.Distillation > 0 && task.Kind == TaskKind.Binary;
                if (!teaches && !plan.ComparesSingleTasks)
                    continue;
                // A weight alone in the loss is a learning rate in disguise.
                TaskDefinition only = task with { Weight = 1, Given = null };
                var network = FeatureRules.FittedTo(plan.Architecture, TaskLabels.Build(data, [only])[0]);
                var alone = plan with { Tasks = [only], ModelVersion = task.Name, Architecture = network, ComparesSingleTasks = false, Distillation = 0 };
                var artifact = Path.Combine(scratch.FullName, task.Name);
                metrics[task.Name] = ModelTrainer.Train(
                    data, alone, Path.Combine(checkpointDirectory, "single-" + task.Name), artifact, progress is null ? null : new OfTask(progress, task.Name),
                    clock, cancellation, note: note is null ? null : line => note($"{task.Name} alone: {line}")).Metrics;
                if (!teaches)
                    continue;
                note?.Invoke($"{task.Name} alone: says what it makes of the training split, for the model to learn from.");
                probabilities[task.Name] = ModelEvaluator.Probabilities(ModelArtifact.Load(artifact), data, [only], SplitRole.Train, cancellation)[task.Name];
            }
        }
        finally
        {
            scratch.Delete(recursive: true);
        }

        return new SingleTaskModels(metrics, probabilities);
    }

    private sealed class OfTask(IProgress<TrainingProgressReport> progress, string task) : IProgress<TrainingProgressReport>
    {
        public void Report(TrainingProgressReport value) => progress.Report(value with { SingleTask = task });
    }
}
