using System.CommandLine;
using GrpcRec.Protocol;
using GrpcRec.Trainer.Benchmarks;
using GrpcRec.Trainer.Display;
using GrpcRec.Trainer.Tuning;
using Spectre.Console;

namespace GrpcRec.Trainer.Commands;

/// <summary><c>evaluate</c>: a standing benchmark, trained and measured by its protocol, or a model on a user's own events; baselines beside it.</summary>
static class EvaluateCommand
{
    private static readonly TimeSpan QuickDuration = TimeSpan.FromSeconds(45);

    public static Command Create()
    {
        var benchmark = new Option<string?>("--benchmark") { Description = "A standing benchmark, by its protocol. Without it: --model on --data of your own." };
        benchmark.AcceptOnlyFromAmong([.. BenchmarkPreset.All.Select(preset => preset.Name)]);
        var data = new Option<string?>("--data") { Description = "With --benchmark the directory of the data sets; else a file of events (.csv, .tsv, .jsonl, .parquet)." };
        var model = new Option<DirectoryInfo?>("--model") { Description = "Evaluate this artefact as it is, for example models/default/v1. Default with --benchmark: train its preset first." };
        var request = new Option<FileInfo?>("--request") { Description = "The TrainRequest that made the model, as JSON: its data, cleaning, split and tasks." };
        var tasks = new Option<string[]>("--tasks") { Description = $"The model's tasks, as they were given to train. Default: the request's, else next=next_item. Examples: {TaskFlags.Syntax}.", AllowMultipleArgumentsPerToken = true };
        var maskSeen = new Option<bool>("--mask-seen") { Description = "Leave what the user has seen out of the ranking; a benchmark says itself." };
        var oneState = new Option<bool>("--one-state") { Description = "With --model: score all of a user's targets after the events before the first of them, as a page of candidates is ranked, and not each after what became of the last. What GAUC is to be compared by; not of next_item." };
        var seeds = new Option<long[]>("--seeds") { Description = "One training for each.", DefaultValueFactory = _ => [1], AllowMultipleArgumentsPerToken = true };
        var minutes = new Option<double?>("--minutes") { Description = "Longest training of one seed. Default: the preset's." };
        var epochs = new Option<int?>("--epochs") { Description = "Most epochs. Default: the preset's." };
        var settings = new Option<FileInfo?>("--settings") { Description = "Settings over the preset's, as JSON; for example best.json of `grpcrec tune`." };
        var output = new Option<DirectoryInfo?>("--out") { Description = "Keep the artefacts and their reports here, one directory a seed. Default: they are not kept." };
        var compare = new Option<bool>("--compare-single-tasks") { Description = "Also train each task alone, with each seed, and show what the tasks have of each other." };
        var quick = new Option<bool>("--quick") { Description = "A minute-long form for smoke tests; its figures are not the benchmark's." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object on the last line of standard output." };
        var command = new Command("evaluate", "Trains and measures a standing benchmark, or measures a model on your own events; the baselines stand beside it.")
        {
            benchmark, data, model, request, tasks, maskSeen, oneState, seeds, minutes, epochs, settings, output, compare, quick, json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(oneState) && result.GetValue(model) is null)
                result.AddError("--one-state measures a model as it is: give --model.");
            if (result.GetValue(benchmark) is not null)
            {
                if (result.GetValue(data) is null || result.GetValue(request) is not null || result.GetValue(tasks) is { Length: > 0 } || result.GetValue(maskSeen))
                    result.AddError("With --benchmark give --data, the directory of the data sets, and none of --request, --tasks and --mask-seen.");
            }
            else if (result.GetValue(model) is null || (result.GetValue(data) is null && result.GetValue(request) is null))
            {
                result.AddError("Give a --benchmark, or a --model and its events with --data FILE or --request FILE.");
            }
            else if (result.GetValue(quick) || result.GetValue(compare) || result.GetValue(minutes) is not null || result.GetValue(epochs) is not null || result.GetValue(settings) is not null || result.GetValue(output) is not null)
            {
                result.AddError("--quick, --minutes, --epochs, --settings, --out and --compare-single-tasks are of a training; --model on your own events trains nothing.");
            }
        });
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                if (parsed.GetValue(benchmark) is not { } name)
                {
                    var own = new OwnDataRun(
                        parsed.GetValue(model)!.FullName, parsed.GetValue(request)?.FullName, parsed.GetValue(data), parsed.GetValue(tasks) ?? [], parsed.GetValue(maskSeen), parsed.GetValue(oneState));
                    return Report(() => own.Execute(System.Console.Error.WriteLine, cancellation), own.Title, parsed.GetValue(json));
                }

                var preset = BenchmarkPreset.All.First(candidate => candidate.Name == name);
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
                    preset with { Optimization = optimization, Evaluation = preset.Evaluation with { FromOneState = parsed.GetValue(oneState) } }, Path.GetFullPath(parsed.GetRequiredValue(data)!), parsed.GetValue(model)?.FullName,
                    parsed.GetRequiredValue(seeds), parsed.GetValue(output)?.FullName, parsed.GetValue(quick))
                {
                    ComparesSingleTasks = parsed.GetValue(compare),
                };
                return Report(() => run.Execute(TimeProvider.System, cancellation), run.Preset.Title + (run.Preset.Evaluation.FromOneState ? ", each user from one state" : ""), parsed.GetValue(json));
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

    private static int Report(Func<BenchmarkReport> measure, string title, bool json)
    {
        try
        {
            var report = measure();
            TrainingDisplay.Console.Write(report.ToTable(title));
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
