using GrpcRec.Engine.Models;
using GrpcRec.Trainer.Mapping;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Events;
using GrpcRec.Training.Learning;
using GrpcRec.V1;

namespace GrpcRec.Trainer.Worker;

/// <summary>A stored model over a file of events: file → import → split → evaluate.</summary>
/// <param name="request">Names the model and its version.</param>
sealed class EvaluationJob(EvaluateRequest request, WorkerOptions options, TimeProvider clock)
{
    /// <param name="report">Called from this thread.</param>
    /// <returns>The last answer, with the metrics.</returns>
    public EvaluateResponse Run(Action<EvaluateResponse> report, CancellationToken cancellation)
    {
        // 1. The model.
        if (string.IsNullOrEmpty(request.Model?.Name) || string.IsNullOrEmpty(request.Model.Version))
            throw new TrainRequestException("model: the worker needs a name and a version.");
        var directory = Path.Combine(options.ModelsDirectory, request.Model.Name, request.Model.Version);
        if (!Directory.Exists(directory))
            throw new TrainRequestException("model: this version is not stored any more.");
        var artifact = ModelArtifact.Load(directory);
        var model = new ModelVersion { Name = request.Model.Name, Version = request.Model.Version };
        report(new EvaluateResponse { Model = model });

        // 2. The events.
        var imported = EventImporter.Import(
            EventFileMapping.FromWire(request.Data, options.DataRoot), EventFileMapping.CleaningFromWire(request.Data.Cleaning), null, cancellation);
        var dataset = SplitMapping.Apply(request.Split, imported.Dataset);

        // 3. Measure.
        var measured = ModelEvaluator.Report(
            artifact, dataset, TaskMapping.FromWire(request.Tasks), new EvaluationPlan { MaskSeen = request.MaskSeen, FromOneState = request.FromOneState }, SplitRole.Test,
            resamples: request.HasResamples ? request.Resamples : Bootstrap.DefaultResamples,
            progress: new Throttled<double>(clock, Throttled.ForPeople, share => report(new EvaluateResponse { Model = model, Progress = share })),
            cancellation: cancellation);
        return EvaluationMapping.ToWire(
            measured, model, imported.Report, isTrainingData: dataset.Fingerprint.Sha256 == artifact.Manifest.Data.Sha256);
    }
}
