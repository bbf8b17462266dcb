using GrpcRec.Engine.Models;
using GrpcRec.Trainer.Display;
using GrpcRec.Trainer.Reports;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Relatedness;

namespace GrpcRec.Trainer.Benchmarks;

/// <summary>One benchmark from its data to its report: a training for each seed, or an artefact as it is.</summary>
/// <param name="ModelDirectory">null: train.</param>
/// <param name="OutputDirectory">null: artefacts and their reports are not kept.</param>
sealed record BenchmarkRun(
    BenchmarkPreset Preset, string DataRoot, string? ModelDirectory, IReadOnlyList<long> Seeds, string? OutputDirectory, bool Quick)
{
    /// <summary>Also train each task alone, with each seed.</summary>
    public bool ComparesSingleTasks { get; init; }

    public BenchmarkReport Execute(TimeProvider clock, CancellationToken cancellation)
    {
        var dataset = BenchmarkData.Load(Preset.Name, DataRoot);
        var baselines = Baselines.Evaluate(dataset, Preset.Tasks, Preset.Evaluation, SplitRole.Test, BenchmarkData.ContextColumns(Preset.Name), cancellation: cancellation);
        if (ModelDirectory is not null)
        {
            var artifact = ModelArtifact.Load(ModelDirectory);
            var report = ModelEvaluator.Report(artifact, dataset, Preset.Tasks, Preset.Evaluation, SplitRole.Test, cancellation: cancellation);
            return BenchmarkReport.Of([report], baselines) with { Benchmark = Preset.Name, Model = $"{artifact.Manifest.Name}/{artifact.Manifest.Version}", Quick = Quick };
        }

        var runs = new List<EvaluationReport>();
        var alone = new List<IReadOnlyList<TaskGain>>();
        var seconds = new List<double>();
        foreach (var seed in Seeds)
        {
            var began = clock.GetTimestamp();
            var (test, gains) = Train(dataset, seed, baselines, clock, cancellation);
            runs.Add(test);
            alone.Add(gains);
            seconds.Add(clock.GetElapsedTime(began).TotalSeconds);
        }

        return BenchmarkReport.Of(runs, baselines) with
        {
            Benchmark = Preset.Name,
            Model = Preset.Architecture.Encoder.ToString().ToLowerInvariant(),
            Seeds = Seeds,
            TrainingSeconds = seconds,
            SingleTask = alone[0].Count == 0 ? null : Summarise(alone),
            Quick = Quick,
        };
    }

    /// <summary>By metric, of those that every seed has a value for.</summary>
    private static Dictionary<string, MetricSummary> Summarise(List<IReadOnlyList<TaskGain>> alone) => alone
        .SelectMany(gains => gains).GroupBy(gain => gain.Metric).Where(gains => gains.Count() == alone.Count)
        .ToDictionary(gains => gains.Key, gains => MetricSummary.Of([.. gains.Select(gain => gain.SingleTask)]));

    private (EvaluationReport Test, IReadOnlyList<TaskGain> Gains) Train(
        SequenceDataset dataset, long seed, IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> baselines, TimeProvider clock, CancellationToken cancellation)
    {
        var plan = (Preset with { Optimization = Preset.Optimization with { Seed = seed } }).ToPlan($"seed-{seed}") with { ComparesSingleTasks = ComparesSingleTasks };
        var scratch = Directory.CreateTempSubdirectory("grpcrec-evaluate-");
        try
        {
            var artifact = Path.Combine(OutputDirectory ?? scratch.FullName, plan.ModelName, plan.ModelVersion);
            var checkpoints = Path.Combine(scratch.FullName, "checkpoints");
            var outcome = TrainingDisplay.Run(
                $"{Preset.Name}, seed {seed}", progress => ModelTrainer.Train(dataset, plan, checkpoints, artifact, progress, clock, cancellation, note: Note));
            var relatedness = TaskRelatedness.Of(plan.Tasks, outcome.History, outcome.Metrics, outcome.SingleTasks);
            foreach (var warning in relatedness?.Warnings ?? [])
                Note($"seed {seed}: {warning}");
            if (OutputDirectory is not null)
                TrainedModelReport.Write(dataset, plan, outcome, artifact, baselines, relatedness, Note, cancellation);
            return (outcome.Test, relatedness?.Gains ?? []);

            static void Note(string line) => System.Console.Error.WriteLine(line);
        }
        finally
        {
            scratch.Delete(recursive: true);
        }
    }
}
