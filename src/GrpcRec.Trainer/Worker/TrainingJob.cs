using Google.Protobuf.WellKnownTypes;
using GrpcRec.Engine.Models;
using GrpcRec.Trainer.Mapping;
using GrpcRec.Trainer.Reports;
using GrpcRec.Training.CollaborativeFiltering;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Events;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Relatedness;
using GrpcRec.V1;
using TaskRelatedness = GrpcRec.Training.Relatedness.TaskRelatedness;

namespace GrpcRec.Trainer.Worker;

/// <summary>The way of an event, whole: file → import → split → train → artefact.</summary>
/// <param name="note">Told what an operator should know of: that a checkpoint was taken up, or why not.</param>
sealed class TrainingJob(TrainRequest request, WorkerOptions options, TimeProvider clock, Action<string> note)
{
    private readonly V1.Training _state = new()
    {
        ModelName = request.ModelName,
        State = TrainingState.Running,
        Progress = new TrainingProgress { Phase = TrainingPhase.Importing },
    };

    /// <param name="report">Called from this thread with a snapshot of the job.</param>
    /// <returns>The job as it ended: succeeded, with its metrics.</returns>
    public V1.Training Run(Action<V1.Training> report, CancellationToken cancellation)
    {
        var plan = PlanMapping.FromWire(request, options.ModelVersion);
        plan.Check();

        // 1. Read and clean.
        var imported = EventImporter.Import(
            EventFileMapping.FromWire(request.Data, options.DataRoot),
            EventFileMapping.CleaningFromWire(request.Data.Cleaning),
            new Throttled<long>(clock, Throttled.ForPeople, rows => Publish(report, new TrainingProgress { Phase = TrainingPhase.Importing, Step = rows })),
            cancellation);
        _state.ImportReport = ImportReportMapping.ToWire(imported.Report);
        Publish(report, _state.Progress);

        // 2. Split, and measure what a model has to beat.
        var dataset = SplitMapping.Apply(request.Split, imported.Dataset);
        var baselines = Baselines.Evaluate(dataset, plan.Tasks, plan.Evaluation, SplitRole.Test, [.. plan.Architecture.RequestFeatures.Select(feature => feature.Name)], learned: false, cancellation: cancellation);
        var flat = baselines
            .SelectMany(baseline => baseline.Value.Select(metric => KeyValuePair.Create($"{baseline.Key}/{metric.Key}", metric.Value)))
            .ToDictionary();
        _state.BaselineMetrics.Add(flat);

        // 3. Train; the artefact appears whole or not at all.
        var artifact = Path.Combine(options.ModelsDirectory, plan.ModelName, plan.ModelVersion);
        var metrics = EarlierMetrics(artifact, dataset) is { } earlier ? earlier
            : BaselineMapping.FromWire(request.Baseline) is { } baseline
            ? BaselineTrainer.Train(dataset, baseline, plan, artifact, clock, cancellation, flat, Progress(report)).Metrics
            : TrainNetwork(dataset, plan, artifact, baselines, flat, report, cancellation);

        _state.State = TrainingState.Succeeded;
        _state.Model = new ModelVersion { Name = plan.ModelName, Version = plan.ModelVersion };
        _state.Metrics.Add(metrics.ToDictionary());
        _state.EndedAt = Timestamp.FromDateTimeOffset(clock.GetUtcNow());
        return _state.Clone();
    }

    /// <summary>
    /// Test metrics of the version where an earlier attempt of this job wrote it and died after: a version is a job's own, and what is finished
    /// is not lost for want of a picture. Null: it is not there.
    /// </summary>
    private IReadOnlyDictionary<string, double>? EarlierMetrics(string artifact, SequenceDataset dataset)
    {
        if (!Directory.Exists(artifact))
            return null;
        var manifest = ModelArtifact.Load(artifact).Manifest;
        if (manifest.Data != dataset.Fingerprint)
            return null; // not ours: the trainer refuses it by name
        note($"An earlier attempt wrote {manifest.Name}/{manifest.Version}; it is taken as it is.");
        return manifest.Metrics;
    }

    /// <returns>Test metrics.</returns>
    private IReadOnlyDictionary<string, double> TrainNetwork(
        SequenceDataset dataset, TrainingPlan plan, string artifact, IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> baselines,
        Dictionary<string, double> flat, Action<V1.Training> report, CancellationToken cancellation)
    {
        var progress = Progress(report);
        var outcome = ModelTrainer.Train(dataset, plan, options.CheckpointDirectory, artifact, progress, clock, cancellation, flat, note);

        // Tell how the tasks stand to each other, and draw it all.
        var relatedness = TaskRelatedness.Of(plan.Tasks, outcome.History, outcome.Metrics, outcome.SingleTasks);
        _state.Relatedness = relatedness is null ? null : RelatednessMapping.ToWire(relatedness);
        TrainedModelReport.Write(dataset, plan, outcome, artifact, baselines, relatedness, note, cancellation);
        return outcome.Metrics;
    }

    private Throttled<TrainingProgressReport> Progress(Action<V1.Training> report) =>
        new(clock, Throttled.ForPeople, progress => Publish(report, ProgressMapping.ToWire(progress)), (last, next) => last.Stage != next.Stage);

    private void Publish(Action<V1.Training> report, TrainingProgress progress)
    {
        _state.Progress = progress;
        report(_state.Clone());
    }
}
