using System.CommandLine;
using GrpcRec.Trainer.Benchmarks;
using GrpcRec.Trainer.Display;
using GrpcRec.Trainer.Tuning;
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
        var settings = new Option<FileInfo?>("--settings") { Description = "Settings over the preset's, as JSON; for example best.json of `grpcrec tune`." };
        var output = new Option<DirectoryInfo?>("--out") { Description = "Keep the artefacts and their reports here, one directory a seed. Default: they are not kept." };
        var compare = new Option<bool>("--compare-single-tasks") { Description = "Also train each task alone, with each seed, and show what the tasks have of each other." };
        var quick = new Option<bool>("--quick") { Description = "A minute-long form for smoke tests; its figures are not the benchmark's." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object on the last line of standard output." };
        var command = new Command("evaluate", "Trains and measures a standing benchmark, with the baselines beside it.")
        {
            benchmark, data, model, seeds, minutes, epochs, settings, output, compare, quick, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var preset = BenchmarkPreset.All.First(candidate => candidate.Name == parsed.GetRequiredValue(benchmark));
                if (parsed.GetValue(settings) is { } file && !TryApply(ref preset, file.FullName))
                    return 1;
                var optimization = preset.Optimization;
                if (parsed.GetValue(minutes) is { } limit)
                    optimization = optimization with { MaxDuration = TimeSpan.FromMinutes(limit) };
                if (parsed.GetValue(epochs) is { } most)
                    optimization = optimization with { Epochs = most };
                if (parsed.GetValue(quick))
                    optimization = optimization with { MaxDuration = QuickDuration };
                var run = new BenchmarkRun(
                    preset with { Optimization = optimization }, parsed.GetRequiredValue(data).FullName, parsed.GetValue(model)?.FullName,
                    parsed.GetRequiredValue(seeds), parsed.GetValue(output)?.FullName, parsed.GetValue(quick))
                {
                    ComparesSingleTasks = parsed.GetValue(compare),
                };
                return Report(run, parsed.GetValue(json), cancellation);
            },
            cancellation));
        return command;
    }

    private static bool TryApply(ref BenchmarkPreset preset, string file)
    {
        try
        {
            preset = preset.With(PlanSettings.ReadFile(file));
            return true;
        }
        catch (Exception refusal) when (Refusals.IsForAPerson(refusal))
        {
            System.Console.Error.WriteLine($"evaluate: {refusal.Message}");
            return false;
        }
    }

    private static int Report(BenchmarkRun run, bool json, CancellationToken cancellation)
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
}
