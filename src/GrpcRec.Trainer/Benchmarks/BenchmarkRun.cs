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
        var runs = new List<IReadOnlyDictionary<string, double>>();
        var seconds = new List<double>();
        var name = "lstm";
        if (ModelDirectory is not null)
        {
            var artifact = ModelArtifact.Load(ModelDirectory);
            name = $"{artifact.Manifest.Name}/{artifact.Manifest.Version}";
            runs.Add(ModelEvaluator.Evaluate(artifact, dataset, Preset.Tasks, Preset.Evaluation, SplitRole.Test, cancellation: cancellation));
        }
        else
        {
            foreach (var seed in Seeds)
            {
                var began = clock.GetTimestamp();
                runs.Add(Train(dataset, seed, clock, cancellation));
                seconds.Add(clock.GetElapsedTime(began).TotalSeconds);
            }
        }

        return new BenchmarkReport
        {
            Benchmark = Preset.Name,
            Model = name,
            Seeds = ModelDirectory is null ? Seeds : [],
            Metrics = runs[0].Keys.ToDictionary(metric => metric, metric => MetricSummary.Of([.. runs.Select(run => run[metric])])),
            Baselines = baselines,
            TrainingSeconds = seconds,
            Quick = Quick,
        };
    }

    private IReadOnlyDictionary<string, double> Train(SequenceDataset dataset, long seed, TimeProvider clock, CancellationToken cancellation)
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
                .Manifest.Metrics;
        }
        finally
        {
            scratch.Delete(recursive: true);
        }
    }
}
