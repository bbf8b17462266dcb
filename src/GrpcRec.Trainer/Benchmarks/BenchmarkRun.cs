using GrpcRec.Engine.Models;
using GrpcRec.Trainer.Display;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;

namespace GrpcRec.Trainer.Benchmarks;

/// <summary>One benchmark from its data to its report: a training for each seed, or an artefact as it is.</summary>
/// <param name="ModelDirectory">null: train.</param>
/// <param name="OutputDirectory">null: artefacts are not kept.</param>
sealed record BenchmarkRun(
    BenchmarkPreset Preset, string DataRoot, string? ModelDirectory, IReadOnlyList<long> Seeds, string? OutputDirectory, bool Quick)
{
    public BenchmarkReport Execute(TimeProvider clock, CancellationToken cancellation)
    {
        var dataset = BenchmarkData.Load(Preset.Name, DataRoot);
        var baselines = Baselines.Evaluate(dataset, Preset.Tasks, Preset.Evaluation, SplitRole.Test, BenchmarkData.ContextColumns(Preset.Name));
        if (ModelDirectory is not null)
        {
            var artifact = ModelArtifact.Load(ModelDirectory);
            var report = ModelEvaluator.Report(artifact, dataset, Preset.Tasks, Preset.Evaluation, SplitRole.Test, cancellation: cancellation);
            return BenchmarkReport.Of([report], baselines) with { Benchmark = Preset.Name, Model = $"{artifact.Manifest.Name}/{artifact.Manifest.Version}", Quick = Quick };
        }

        var runs = new List<EvaluationReport>();
        var seconds = new List<double>();
        foreach (var seed in Seeds)
        {
            var began = clock.GetTimestamp();
            runs.Add(Train(dataset, seed, clock, cancellation));
            seconds.Add(clock.GetElapsedTime(began).TotalSeconds);
        }

        return BenchmarkReport.Of(runs, baselines) with
        {
            Benchmark = Preset.Name,
            Model = Preset.Architecture.Encoder.ToString().ToLowerInvariant(),
            Seeds = Seeds,
            TrainingSeconds = seconds,
            Quick = Quick,
        };
    }

    private EvaluationReport Train(SequenceDataset dataset, long seed, TimeProvider clock, CancellationToken cancellation)
    {
        var plan = new TrainingPlan
        {
            ModelName = Preset.Name,
            ModelVersion = $"seed-{seed}",
            Tasks = Preset.Tasks,
            Architecture = Preset.Architecture,
            Optimization = Preset.Optimization with { Seed = seed },
            Evaluation = Preset.Evaluation,
        };
        var scratch = Directory.CreateTempSubdirectory("grpcrec-evaluate-");
        try
        {
            var artifact = Path.Combine(OutputDirectory ?? scratch.FullName, plan.ModelName, plan.ModelVersion);
            return TrainingDisplay.Run(
                $"{Preset.Name}, seed {seed}",
                progress => ModelTrainer.Train(dataset, plan, Path.Combine(scratch.FullName, "checkpoints"), artifact, progress, clock, cancellation, note: System.Console.Error.WriteLine))
                .Test;
        }
        finally
        {
            scratch.Delete(recursive: true);
        }
    }
}
