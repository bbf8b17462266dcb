using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>Baselines that can be served.</summary>
public enum ServableBaseline
{
    Popularity,

    /// <summary>A sequence is the mean of its items' factors, of all that the model reads; see <see cref="BprFactors"/>.</summary>
    MatrixFactorisation,

    /// <summary>What followed the last item; see <see cref="Successors"/>.</summary>
    Markov,

    /// <summary>What occurs together with the last ten; see <see cref="ItemNeighbours"/>.</summary>
    ItemNeighbours,

    /// <summary>Of binary tasks: each item's smoothed rate. Whose request it is says nothing of the labels that they gave, so users have no rate.</summary>
    Rates,
}

/// <summary>Writes a baseline as an artefact like any other, judged through the engine that serves it.</summary>
public static class BaselineTrainer
{
    /// <param name="plan">Its name, version, tasks, longest sequence, seed and evaluation are read.</param>
    /// <param name="artifactDirectory">Must not exist.</param>
    /// <param name="baselines">Metrics of baselines by <c>baseline/metric</c>, for the manifest.</param>
    /// <param name="progress">Called on this thread.</param>
    /// <exception cref="TrainingException">The baseline has nothing to say of such tasks, the version exists, or the data cannot be counted or factorised.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; no artefact is written.</exception>
    public static EvaluationReport Train(
        SequenceDataset data, ServableBaseline kind, TrainingPlan plan, string artifactDirectory, TimeProvider clock,
        CancellationToken cancellation, IReadOnlyDictionary<string, double>? baselines = null, IProgress<TrainingProgressReport>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(clock);
        CheckTasks(kind, plan);
        if (Path.Exists(artifactDirectory))
            throw new TrainingException($"Version {plan.ModelVersion} of model {plan.ModelName} exists already; train another version.") { Field = nameof(plan.ModelVersion) };

        // 1. What the baseline knows.
        var now = clock.GetUtcNow();
        var model = kind switch
        {
            ServableBaseline.Popularity => BagBaselines.Popularity(data, plan, now),
            ServableBaseline.MatrixFactorisation => BagBaselines.MatrixFactorisation(data, plan, now, Count, cancellation),
            ServableBaseline.Markov => CountedBaselines.Markov(data, plan, now, Count, cancellation),
            ServableBaseline.ItemNeighbours => CountedBaselines.Neighbours(data, plan, now, Count, cancellation),
            ServableBaseline.Rates => CountedBaselines.Rates(data, plan, now),
            _ => throw new ArgumentOutOfRangeException(nameof(kind), $"{kind} is not a baseline"),
        };

        // 2. Judge it as it will be served.
        progress?.Report(At(TrainingStage.Testing));
        var report = ModelEvaluator.Report(
            ModelArtifact.Create(model.Manifest, data.Items, model.Tensors, indices: model.Indices), data, plan.Tasks, plan.Evaluation, SplitRole.Test, cancellation: cancellation);

        // 3. Write it, and read it back: what serves is what was verified.
        progress?.Report(At(TrainingStage.Writing));
        cancellation.ThrowIfCancellationRequested();
        var manifest = model.Manifest with { Metrics = report.Metrics, BaselineMetrics = baselines ?? model.Manifest.BaselineMetrics };
        ModelArtifact.Write(artifactDirectory, manifest, data.Items, model.Tensors, indices: model.Indices);
        ModelArtifact.Load(artifactDirectory);
        return report;

        void Count(long step, long steps) => progress?.Report(At(TrainingStage.Training, step, steps));
    }

    private static TrainingProgressReport At(TrainingStage stage, long step = 0, long steps = 0) => new() { Stage = stage, Step = step, Steps = steps };

    private static void CheckTasks(ServableBaseline kind, TrainingPlan plan)
    {
        if (kind == ServableBaseline.Rates)
        {
            if (plan.Tasks.Count == 0 || plan.Tasks.Any(task => task is not { Kind: TaskKind.Binary, Given: null }))
                throw new TrainingException("Rates are of binary tasks that need no other's outcome first; give one or more of those alone.") { Field = "Tasks" };
        }
        else if (plan.Tasks is not [{ Kind: TaskKind.NextItem }])
        {
            throw new TrainingException("This baseline predicts the next item alone; give one next_item task, or none.") { Field = "Tasks" };
        }
    }
}
