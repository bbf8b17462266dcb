using System.Globalization;
using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Relatedness;

namespace GrpcRec.Trainer.Reports;

/// <summary>Gathers what a report says. The ablations and the users cost some seconds of the engine.</summary>
static class TrainingReportBuilder
{
    /// <param name="artifactDirectory">What was trained.</param>
    public static TrainingReport Build(
        SequenceDataset dataset, TrainingPlan plan, TrainingOutcome outcome, string artifactDirectory,
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> baselines, TaskRelatedness? relatedness, CancellationToken cancellation)
    {
        var artifact = ModelArtifact.Load(artifactDirectory);
        return new TrainingReport
        {
            Model = outcome.Manifest.Name,
            Version = outcome.Manifest.Version,
            TrainedAt = outcome.Manifest.CreatedAt,
            Seconds = outcome.History.Sum(epoch => epoch.Seconds),
            BestEpoch = outcome.BestEpoch,
            Criterion = outcome.Criterion,
            End = outcome.End,
            Data = Describe(dataset),
            Settings = ReportSettings.Of(plan, outcome.Manifest),
            Headlines = plan.Tasks.ToDictionary(task => task.Name, task => HeadlineMetric.Of(task.Kind, task.Name)),
            Metrics = outcome.Metrics,
            Intervals = outcome.Test.Bootstrap.Intervals().ToDictionary(interval => interval.Key, interval => new[] { interval.Value.Low, interval.Value.High }),
            Calibration = outcome.Test.Calibration,
            Baselines = baselines,
            History = outcome.History,
            Relatedness = relatedness,
            Inputs = InputAblation.Run(artifact, dataset, plan.Tasks, plan.Evaluation, SplitRole.Test, seed: plan.Optimization.Seed, cancellation: cancellation),
            Users = ReportUsers.Pick(artifact, dataset, plan, plan.Optimization.Seed),
        };
    }

    private static KeyValuePair<string, string>[] Describe(SequenceDataset dataset)
    {
        string Targets(SplitRole role) => Number(dataset.Roles.Count(one => one == role));
        return
        [
            new("sequences", Number(dataset.SequenceCount)),
            new("events", Number(dataset.EventCount)),
            new("items", Number(dataset.Items.Count)),
            new("behaviours", string.Join(", ", dataset.Behaviors)),
            new("categories", Number(dataset.Categories.Count)),
            .. dataset.Contexts.Count == 0 ? [] : new KeyValuePair<string, string>[] { new("contexts", string.Join(", ", dataset.Contexts.Select(context => $"{context.Key} ({Number(context.Value.Values.Count)})"))) },
            new("targets to train on", Targets(SplitRole.Train)),
            new("to validate on", Targets(SplitRole.Validation)),
            new("to test on", Targets(SplitRole.Test)),
        ];
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
