using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Encoders;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Relatedness;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Learning;

/// <summary>Data set and plan in, artefact out.</summary>
public static class ModelTrainer
{
    /// <summary>
    /// Trains, keeps the weights of the best epoch, judges them on the test split through the engine, and writes the artefact. Called again with
    /// the same directories, plan and data it goes on after the last finished epoch. Repeats exactly on the same machine with the same seed and
    /// number of threads. It seeds and uses torch's global generator, so one run at a time in a process.
    /// </summary>
    /// <param name="checkpointDirectory">Made when missing. A checkpoint of another plan or of other data is ignored and written over.</param>
    /// <param name="artifactDirectory">Must not exist.</param>
    /// <param name="progress">Called on this thread, about five times a second.</param>
    /// <param name="baselines">Metrics of baselines by <c>baseline/metric</c>, for the manifest.</param>
    /// <param name="note">Told, in a line, what a person should know: a checkpoint taken up or ignored, why training ended.</param>
    /// <exception cref="TrainingException">The plan or the data cannot be trained, or training diverged.</exception>
    /// <exception cref="TaskDefinitionException">A task does not fit the data.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; no artefact is written.</exception>
    public static TrainingOutcome Train(
        SequenceDataset data, TrainingPlan plan, string checkpointDirectory, string artifactDirectory,
        IProgress<TrainingProgressReport>? progress, TimeProvider clock, CancellationToken cancellation,
        IReadOnlyDictionary<string, double>? baselines = null, Action<string>? note = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(clock);

        // 1. Refuse what cannot end well before any work is done.
        TrainingPlanRules.Check(plan);
        var tasks = TaskLabels.Build(data, plan.Tasks);
        TrainingPlanRules.CheckLabels(data, tasks);
        if (Path.Exists(artifactDirectory))
            throw new TrainingException($"Version {plan.ModelVersion} of model {plan.ModelName} exists already; train another version.") { Field = nameof(plan.ModelVersion) };
        var manifest = TrainingPlanRules.Manifest(plan, data, tasks, clock.GetUtcNow());

        // 2. Each task alone, where it is to be compared or to teach.
        var alone = plan.Distillation > 0 || (plan.ComparesSingleTasks && tasks.Count > 1)
            ? SingleTaskTrainings.Run(data, plan, checkpointDirectory, progress, clock, cancellation, note)
            : null;
        if (plan.Distillation > 0)
            tasks = [.. tasks.Select(task => alone!.Probabilities.TryGetValue(task.Name, out var teacher) ? task.Softened(teacher, plan.Distillation) : task)];

        // 3. Train; the checkpoint holds the weights of the best epoch.
        using var run = new TrainingRun(data, plan, tasks, manifest, new TrainingCheckpoint(checkpointDirectory), clock, progress, note);
        var (state, criterion, end) = run.ToTheEnd(cancellation);
        note?.Invoke($"Training ended after epoch {state.Epoch} ({end}); the best was epoch {state.BestEpoch} by {criterion}.");

        // 4. Judge the best weights on the test split, once.
        progress?.Report(run.Report(state, TrainingStage.Testing));
        var best = new TrainingCheckpoint(checkpointDirectory).LoadWeights(state.BestEpoch);
        var report = ModelEvaluator.Report(best, data, plan.Tasks, plan.Evaluation, SplitRole.Test, cancellation: cancellation);

        // 5. Write the artefact with its metrics, and read it back: what serves is what was verified.
        progress?.Report(run.Report(state, TrainingStage.Writing));
        cancellation.ThrowIfCancellationRequested();
        manifest = manifest with { Metrics = report.Metrics, BaselineMetrics = baselines ?? manifest.BaselineMetrics };
        var tensors = ModelTensors.Expected(manifest).ToDictionary(t => t.Key, t => new WeightTensor(t.Value, best.Weights(t.Key).ToArray()));
        ModelArtifact.Write(artifactDirectory, manifest, data.Items, tensors);
        return new TrainingOutcome(ModelArtifact.Load(artifactDirectory).Manifest, report, state.History, state.BestEpoch, criterion, end)
        {
            BestValue = state.BestValue,
            SingleTasks = alone?.Metrics,
        };
    }
}
