using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Relatedness;

namespace GrpcRec.Trainer.Reports;

/// <summary>The report of a model that was just trained, in <c>report/</c> beside its weights.</summary>
static class TrainedModelReport
{
    /// <param name="note">Told where the page is, or why there is none: a model without a picture is a model still.</param>
    public static void Write(
        SequenceDataset dataset, TrainingPlan plan, TrainingOutcome outcome, string artifactDirectory,
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> baselines, TaskRelatedness? relatedness, Action<string> note, CancellationToken cancellation)
    {
        var directory = Path.Combine(artifactDirectory, TrainingReportWriter.DirectoryName);
        try
        {
            var report = TrainingReportBuilder.Build(dataset, plan, outcome, artifactDirectory, baselines, relatedness, cancellation);
            note($"Report: {TrainingReportWriter.Write(report, directory)}");
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            note($"The report in {directory} is missing or incomplete: {fault.Message}");
        }
    }
}
