using System.CommandLine;
using System.Diagnostics;
using GrpcRec.Engine.Models;
using GrpcRec.Trainer.Benchmarks;
using GrpcRec.Trainer.Display;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using Spectre.Console;

namespace GrpcRec.Trainer.Commands;

/// <summary><c>evaluate</c>: a standing benchmark, trained and measured by its protocol, baselines beside it.</summary>
static class EvaluateCommand
{
    private static readonly TimeSpan QuickDuration = TimeSpan.FromSeconds(45);

    public static Command Create()
    {
        var benchmark = new Option<string>("--benchmark") { Description = "Which one.", Required = true };
        benchmark.AcceptOnlyFromAmong([.. BenchmarkPreset.All.Select(preset => preset.Name)]);
        var data = new Option<DirectoryInfo>("--data") { Description = "Directory of the data sets.", Required = true };
        var model = new Option<DirectoryInfo?>("--model") { Description = "Evaluate this artefact as it is. Default: train the benchmark's preset first." };
        var seeds = new Option<long[]>("--seeds") { Description = "One training for each.", DefaultValueFactory = _ => [1], AllowMultipleArgumentsPerToken = true };
        var minutes = new Option<double?>("--minutes") { Description = "Longest training of one seed. Default: the preset's." };
        var epochs = new Option<int?>("--epochs") { Description = "Most epochs. Default: the preset's." };
        var output = new Option<DirectoryInfo?>("--out") { Description = "Keep the artefacts here, one directory a seed. Default: they are not kept." };
        var quick = new Option<bool>("--quick") { Description = "A minute-long form for smoke tests; its figures are not the benchmark's." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object on the last line of standard output." };
        var command = new Command("evaluate", "Trains and measures a standing benchmark, with the baselines beside it.")
        {
            benchmark, data, model, seeds, minutes, epochs, output, quick, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var preset = BenchmarkPreset.All.First(candidate => candidate.Name == parsed.GetRequiredValue(benchmark));
                var optimization = preset.Optimization;
                if (parsed.GetValue(minutes) is { } limit)
                    optimization = optimization with { MaxDuration = TimeSpan.FromMinutes(limit) };
                if (parsed.GetValue(epochs) is { } most)
                    optimization = optimization with { Epochs = most };
                if (parsed.GetValue(quick))
                    optimization = optimization with { MaxDuration = QuickDuration };
                var run = new EvaluationRun(
                    preset with { Optimization = optimization }, parsed.GetRequiredValue(data).FullName, parsed.GetValue(model)?.FullName,
                    parsed.GetRequiredValue(seeds), parsed.GetValue(output)?.FullName, parsed.GetValue(quick));
                return Report(run, parsed.GetValue(json), cancellation);
            },
            cancellation));
        return command;
    }

    private static int Report(EvaluationRun run, bool json, CancellationToken cancellation)
    {
        try
        {
            var report = run.Execute(TimeProvider.System, cancellation);
            TrainingDisplay.Console.Write(report.ToTable(run.Preset.Title));
            if (json)
                System.Console.Out.WriteLine(report.ToJson());
            return 0;
        }
        catch (Exception refusal) when (Refusals.IsForAPerson(refusal))
        {
            System.Console.Error.WriteLine($"evaluate: {refusal.Message}");
            return 1;
        }
    }

    /// <param name="ModelDirectory">null: train.</param>
    private sealed record EvaluationRun(
        BenchmarkPreset Preset, string DataRoot, string? ModelDirectory, IReadOnlyList<long> Seeds, string? OutputDirectory, bool Quick)
    {
        public BenchmarkReport Execute(TimeProvider clock, CancellationToken cancellation)
        {
            var dataset = BenchmarkData.Load(Preset.Name, DataRoot);
            var baselines = Baselines.Evaluate(dataset, Preset.Tasks, Preset.Evaluation, SplitRole.Test, Preset.ContextColumns);
            var runs = new List<IReadOnlyDictionary<string, double>>();
            var seconds = new List<double>();
            var name = "lstm";
            if (ModelDirectory is not null)
            {
                var artifact = ModelArtifact.Load(ModelDirectory);
                name = $"{artifact.Manifest.Name}/{artifact.Manifest.Version}";
                runs.Add(ModelEvaluator.Evaluate(artifact, dataset, Preset.Tasks, Preset.Evaluation, SplitRole.Test, cancellation));
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
}
