using GrpcRec.Engine.Models;
using GrpcRec.Trainer.Benchmarks;
using GrpcRec.Trainer.Display;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;

namespace GrpcRec.Trainer.Commands;

/// <summary>A model as it is, on the test part of a user's own events.</summary>
/// <param name="ModelDirectory">Of the artefact.</param>
/// <param name="RequestFile">A TrainRequest as JSON; null: its defaults.</param>
/// <param name="DataFile">Events in place of the request's.</param>
/// <param name="Tasks">In place of the request's, NAME=WHAT.</param>
sealed record OwnDataRun(string ModelDirectory, string? RequestFile, string? DataFile, IReadOnlyList<string> Tasks, bool MaskSeen, bool FromOneState)
{
    public string Title => $"{Path.GetFileName(DataFile ?? RequestFile)}, test split, all items ranked, seen ones {(MaskSeen ? "masked" : "not masked")}{(FromOneState ? ", each user from one state" : "")}";

    /// <param name="note">Told what a reader of the figures must know.</param>
    public BenchmarkReport Execute(Action<string> note, CancellationToken cancellation)
    {
        var artifact = ModelArtifact.Load(ModelDirectory);
        var data = EvaluationData.OfEvents(RequestFile, DataFile, Tasks, cancellation);
        if (data.Dataset.Fingerprint.Sha256 != artifact.Manifest.Data.Sha256)
            note("evaluate: these are not the very events that the model was trained on; what follows is measured on these.");
        var plan = data.Plan with { MaskSeen = MaskSeen, FromOneState = FromOneState };
        var report = TrainingDisplay.Shares<Part, EvaluationReport>(
            _ => "test",
            progress => ModelEvaluator.Report(
                artifact, data.Dataset, data.Tasks, plan, SplitRole.Test, progress: new Share(share => progress.Report((Part.Test, share))), cancellation: cancellation));
        return BenchmarkReport.Of([report], Baselines.Evaluate(data.Dataset, data.Tasks, plan, SplitRole.Test, cancellation: cancellation)) with
        {
            Data = Path.GetFileName(DataFile ?? RequestFile),
            Model = $"{artifact.Manifest.Name}/{artifact.Manifest.Version}",
        };
    }

    private enum Part { Test }

    private sealed class Share(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}
