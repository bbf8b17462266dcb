using System.Globalization;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Trainer.Reports;

/// <summary>A few users of the test split, drawn by a seed and not by how well the model did.</summary>
static class ReportUsers
{
    private const int Users = 6;
    private const int ShownEvents = 12;
    private const int Recommended = 10;

    public static IReadOnlyList<ReportUser> Pick(ModelArtifact artifact, SequenceDataset dataset, TrainingPlan plan, long seed)
    {
        var targets = new List<(int Sequence, int Target)>();
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            var last = dataset.Offsets[s + 1] - 1;
            if (last > dataset.Offsets[s] && dataset.Roles[last] == SplitRole.Test)
                targets.Add((s, last));
        }

        (int Sequence, int Target)[] drawn = [.. targets];
        new Random((int)(seed & int.MaxValue)).Shuffle(drawn);
        using var engine = StepEngineFactory.Create(artifact, new EngineOptions { SlotCapacity = 1 });
        var labels = TaskLabels.Build(dataset, plan.Tasks);
        var inputs = new ModelInputs(artifact.Manifest, dataset);
        return [.. drawn.Take(Users).Select(pair => Describe(engine, inputs, dataset, labels, plan, pair.Sequence, pair.Target))];
    }

    private static ReportUser Describe(
        IStepEngine engine, ModelInputs inputs, SequenceDataset dataset, IReadOnlyList<TaskLabels> tasks, TrainingPlan plan, int sequence, int target)
    {
        if (!engine.TryRent(out var slot))
            throw new EngineException("no slot is free for the report's users");
        try
        {
            // 1. Read the history as serving does.
            var first = dataset.Offsets[sequence];
            var start = Math.Max(first, target - inputs.Manifest.MaxSequenceLength);
            int[] kinds = [.. Enumerable.Range(start, target - start).Select(t => inputs.KindOf(t))];
            engine.Advance([new EventRun(slot, 0, target - start)], dataset.ItemIds.AsSpan(start, target - start), kinds);

            // 2. Ask.
            var next = dataset.ItemIds[target];
            var ranked = tasks.Any(task => task.Kind == TaskKind.NextItem) ? Rank(engine, slot, dataset, plan.Evaluation.MaskSeen, first, target) : null;
            var shown = Math.Max(first, target - ShownEvents);
            return new ReportUser(
                dataset.SequenceKeys[sequence],
                [.. Enumerable.Range(shown, target - shown).Select(t => Event(dataset, t))],
                shown - first,
                Event(dataset, target),
                ranked is null ? null : 1 + Array.FindIndex(ranked, item => item.Item == next),
                [.. (ranked ?? []).Take(Recommended).Select(item => new ReportItem(dataset.Items.Items[item.Item].Id, Category(dataset, item.Item), item.Score, item.Item == next))],
                Predictions(engine, slot, inputs, tasks, next, target));
        }
        finally
        {
            engine.Return(slot);
        }
    }

    /// <summary>The whole catalogue in order; seen items, where they are masked, but for the target itself, left out.</summary>
    private static RankedItem[] Rank(IStepEngine engine, Slot slot, SequenceDataset dataset, bool masksSeen, int first, int target)
    {
        int[] excluded = masksSeen ? [.. dataset.ItemIds[first..target].Distinct().Where(item => item != dataset.ItemIds[target]).Order()] : [];
        var query = new RankQuery { Slot = slot, K = engine.CatalogSize, Excluded = excluded };
        engine.Rank([query]);
        return query.Result;
    }

    private static List<ReportPrediction> Predictions(IStepEngine engine, Slot slot, ModelInputs inputs, IReadOnlyList<TaskLabels> tasks, int next, int target)
    {
        var logits = new TaskLogits(engine, tasks);
        logits.Score(slot, next, inputs.RequestOf(target));
        var predictions = new List<ReportPrediction>();
        for (var k = 0; k < tasks.Count; k++)
        {
            if (tasks[k].Kind != TaskKind.NextItem)
                predictions.Add(Describe(tasks[k], logits.Of(k), tasks[k].Label[target]));
        }

        return predictions;
    }

    private static ReportPrediction Describe(TaskLabels task, ReadOnlySpan<float> logits, float label)
    {
        if (task.Kind == TaskKind.Binary)
        {
            var truth = float.IsNaN(label) ? "" : label > 0.5f ? "yes" : "no";
            return new ReportPrediction(task.Name, Percent(1 / (1 + Math.Exp(-logits[0]))), truth);
        }

        if (task.Kind == TaskKind.Regression)
        {
            var (offset, scale) = task.Standard;
            return new ReportPrediction(task.Name, Number(offset + (scale * logits[0])), float.IsNaN(label) ? "" : Number(label));
        }

        var best = 0;
        double sum = 0;
        for (var c = 0; c < logits.Length; c++)
        {
            if (logits[c] > logits[best])
                best = c;
        }

        foreach (var logit in logits)
            sum += Math.Exp(logit - logits[best]);
        return new ReportPrediction(task.Name, $"{task.ClassNames[best]} ({Percent(1 / sum)})", float.IsNaN(label) ? "" : task.ClassNames[(int)label]);
    }

    private static ReportEvent Event(SequenceDataset dataset, int t) =>
        new(dataset.Items.Items[dataset.ItemIds[t]].Id, Category(dataset, dataset.ItemIds[t]), dataset.Behaviors[dataset.BehaviorIds[t]]);

    private static string Category(SequenceDataset dataset, int item) =>
        dataset.Items.Items[item].Category is var category and >= 0 ? dataset.Categories[category] : "";

    private static string Number(double value) => value.ToString("G5", CultureInfo.InvariantCulture);

    private static string Percent(double share) => share.ToString("P1", CultureInfo.InvariantCulture);
}
