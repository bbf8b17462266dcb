using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Evaluation;

/// <summary>
/// Metrics of a finished model through the engine that serves it, step by step over slots, many sequences at once. A target is predicted from
/// the model's last MaxSequenceLength events before it, from a zero state, as serving does. All items are ranked, never a sample of them;
/// a tie counts against the model: rank = 1 + items that score as much or more (but see <see cref="IStepEngine.RanksEqualScores"/>). Targets of one sequence share a pass as long as they all
/// stand within MaxSequenceLength events of its beginning.
/// </summary>
public static class ModelEvaluator
{
    private const int ConcurrentSequences = 256;

    /// <param name="tasks">As the model was trained, in the manifest's order.</param>
    /// <param name="precision">Null: the one that the artefact's manifest states.</param>
    /// <param name="progress">Told the share of the sequences that are done, 0…1.</param>
    /// <returns><see cref="EvaluationReport.Metrics"/>.</returns>
    /// <exception cref="EvaluationException">The data's items or the tasks are not the model's, or a score is not finite.</exception>
    /// <exception cref="EngineException">The model has no form of that precision.</exception>
    public static IReadOnlyDictionary<string, double> Evaluate(
        ModelArtifact artifact, SequenceDataset dataset, IReadOnlyList<TaskDefinition> tasks, EvaluationPlan plan, SplitRole role,
        Precision? precision = null, IProgress<double>? progress = null, CancellationToken cancellation = default) =>
        Report(artifact, dataset, tasks, plan, role, precision, resamples: 0, progress, cancellation).Metrics;

    /// <inheritdoc cref="Evaluate(ModelArtifact, SequenceDataset, IReadOnlyList{TaskDefinition}, EvaluationPlan, SplitRole, Precision?, IProgress{double}, CancellationToken)"/>
    public static IReadOnlyDictionary<string, double> Evaluate(
        IStepEngine engine, ModelManifest manifest, SequenceDataset dataset, IReadOnlyList<TaskDefinition> tasks, EvaluationPlan plan, SplitRole role,
        IProgress<double>? progress = null, CancellationToken cancellation = default) =>
        Report(engine, manifest, dataset, tasks, plan, role, resamples: 0, progress, cancellation).Metrics;

    /// <summary>Metrics, their confidence intervals by resampling the users, and the tasks' calibration.</summary>
    /// <param name="resamples">0: no intervals. A very large test set gets fewer than are asked for.</param>
    /// <inheritdoc cref="Evaluate(ModelArtifact, SequenceDataset, IReadOnlyList{TaskDefinition}, EvaluationPlan, SplitRole, Precision?, IProgress{double}, CancellationToken)"/>
    public static EvaluationReport Report(
        ModelArtifact artifact, SequenceDataset dataset, IReadOnlyList<TaskDefinition> tasks, EvaluationPlan plan, SplitRole role,
        Precision? precision = null, int resamples = Bootstrap.DefaultResamples, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(artifact);
        ArgumentNullException.ThrowIfNull(dataset);
        CheckItems(artifact, dataset);
        using var engine = StepEngineFactory.Create(artifact, new EngineOptions
        {
            // Precisions are compared on the one engine that has them.
            Kind = precision is null ? EngineKind.Auto : EngineKind.Cpu,
            Precision = precision,
            SlotCapacity = ConcurrentSequences,
        });
        return Report(engine, artifact.Manifest, dataset, tasks, plan, role, resamples, progress, cancellation);
    }

    /// <param name="engine">Of the model that <paramref name="manifest"/> describes; at least one free slot.</param>
    /// <inheritdoc cref="Report(ModelArtifact, SequenceDataset, IReadOnlyList{TaskDefinition}, EvaluationPlan, SplitRole, Precision?, int, IProgress{double}, CancellationToken)"/>
    public static EvaluationReport Report(
        IStepEngine engine, ModelManifest manifest, SequenceDataset dataset, IReadOnlyList<TaskDefinition> tasks, EvaluationPlan plan, SplitRole role,
        int resamples = Bootstrap.DefaultResamples, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(plan);
        var labels = TaskLabels.Build(dataset, tasks);
        CheckTasks(manifest, labels);
        var inputs = new ModelInputs(manifest, dataset);
        var scorer = new TargetScorer(engine, dataset, labels, inputs, plan);
        if (plan.FromOneState && labels.Any(task => task.Kind == TaskKind.NextItem))
            throw new EvaluationException("A next item follows the events before it, so next_item cannot be measured from one state; leave that out, or the task.");
        ForEachTarget(engine, dataset, inputs, role, plan.FromOneState, scorer.Score, progress, cancellation);
        return scorer.Metrics.Report(resamples, cancellation: cancellation);
    }

    /// <summary>What a model of binary tasks says at every labelled target of a part.</summary>
    /// <returns>By task: [N] probabilities; NaN elsewhere.</returns>
    /// <inheritdoc cref="Evaluate(ModelArtifact, SequenceDataset, IReadOnlyList{TaskDefinition}, EvaluationPlan, SplitRole, Precision?, IProgress{double}, CancellationToken)"/>
    internal static IReadOnlyDictionary<string, float[]> Probabilities(
        ModelArtifact artifact, SequenceDataset dataset, IReadOnlyList<TaskDefinition> tasks, SplitRole role, CancellationToken cancellation = default)
    {
        CheckItems(artifact, dataset);
        var labels = TaskLabels.Build(dataset, tasks);
        CheckTasks(artifact.Manifest, labels);
        using var engine = StepEngineFactory.Create(artifact, new EngineOptions { SlotCapacity = ConcurrentSequences });
        var inputs = new ModelInputs(artifact.Manifest, dataset);
        var logits = new TaskLogits(engine, labels);
        var probabilities = labels.Where(task => task.Kind == TaskKind.Binary).ToDictionary(task => task.Name, _ => Enumerable.Repeat(float.NaN, dataset.EventCount).ToArray());
        ForEachTarget(
            engine, dataset, inputs, role, fromOneState: false,
            standing =>
            {
                foreach (var (slot, _, target) in standing)
                {
                    logits.Score(slot, dataset.ItemIds[target], inputs.RequestOf(target));
                    for (var k = 0; k < labels.Count; k++)
                    {
                        if (labels[k].Kind == TaskKind.Binary && !float.IsNaN(labels[k].Label[target]))
                            probabilities[labels[k].Name][target] = 1 / (1 + MathF.Exp(-logits.Of(k)[0]));
                    }
                }
            },
            progress: null, cancellation);
        return probabilities;
    }

    /// <summary>Advances slots through the part's windows and calls <paramref name="score"/> with those that stand before a target.</summary>
    private static void ForEachTarget(
        IStepEngine engine, SequenceDataset dataset, ModelInputs inputs, SplitRole role, bool fromOneState,
        Action<IReadOnlyList<(Slot Slot, int Sequence, int Target)>> score, IProgress<double>? progress, CancellationToken cancellation)
    {
        var longest = inputs.Manifest.MaxSequenceLength;
        var windows = new Queue<EventWindow>(fromOneState
            ? EventWindow.BeforeFirstTarget(dataset, role, longest)
            : EventWindow.ForEvaluation(dataset, role, longest, minContext: longest));
        var total = windows.Count;
        var running = new List<(Slot Slot, EventWindow Window, int Next)>();
        var events = new List<StepEvent>();
        var standing = new List<(Slot Slot, int Sequence, int Target)>();
        while (windows.Count > 0 || running.Count > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Report(1 - ((double)(windows.Count + running.Count) / total));
            // 1. Fill the free slots.
            while (windows.Count > 0 && running.Count < ConcurrentSequences && engine.TryRent(out var slot))
                running.Add((slot, windows.Peek(), windows.Dequeue().Start));
            if (running.Count == 0)
                throw new EvaluationException("The engine has no free slot to evaluate in.");

            // 2. Advance every slot by its next event.
            events.Clear();
            foreach (var (slot, _, next) in running)
                events.Add(new StepEvent(slot, dataset.ItemIds[next], inputs.KindOf(next)));
            engine.Step(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(events));

            // 3. Score what now stands before a target; free the slots that are done.
            standing.Clear();
            foreach (var (slot, window, next) in running)
            {
                var target = next + 1;
                if (target < window.FirstTarget)
                    continue;
                var end = fromOneState ? dataset.Offsets[window.Sequence + 1] : target + 1;
                for (var t = target; t < end; t++)
                {
                    if (dataset.Roles[t] == role)
                        standing.Add((slot, window.Sequence, t));
                }
            }

            if (standing.Count > 0)
                score(standing);
            for (var i = running.Count - 1; i >= 0; i--)
            {
                var (slot, window, next) = running[i];
                var target = next + 1;
                running[i] = (slot, window, target);
                if (target < window.LastTarget)
                    continue;
                engine.Return(slot);
                running.RemoveAt(i);
            }
        }
    }

    private static void CheckItems(ModelArtifact artifact, SequenceDataset dataset)
    {
        var (ours, theirs) = (artifact.Items.Items, dataset.Items.Items);
        if (ours.Count != theirs.Count)
            throw new EvaluationException($"The model knows {ours.Count} items and the data has {theirs.Count}; evaluate on the data that it was trained on.");
        for (var i = 0; i < ours.Count; i++)
        {
            if (!string.Equals(ours[i].Id, theirs[i].Id, StringComparison.Ordinal))
                throw new EvaluationException($"Item {i} of the model is not item {i} of the data; evaluate on the data that it was trained on.");
        }
    }

    private static void CheckTasks(ModelManifest manifest, IReadOnlyList<TaskLabels> labels)
    {
        static string Describe(IEnumerable<string> names) => string.Join(", ", names);
        if (!manifest.Tasks.Select(task => (task.Name, task.Kind, task.NeedsCandidate, task.OutputWidth, task.Given))
            .SequenceEqual(labels.Select(task => (task.Name, task.Kind, task.NeedsCandidate, Math.Max(1, task.ClassNames.Length), task.Definition.Given))))
        {
            throw new EvaluationException(
                $"The model's tasks are {Describe(manifest.Tasks.Select(task => task.Name))} and those asked for are {Describe(labels.Select(task => task.Name))}; they must be the same, in kind and order.");
        }
    }
}
