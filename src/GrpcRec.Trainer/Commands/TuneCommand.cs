using System.CommandLine;
using System.Globalization;
using GrpcRec.Trainer.Benchmarks;
using GrpcRec.Trainer.Display;
using GrpcRec.Trainer.Tuning;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;

namespace GrpcRec.Trainer.Commands;

/// <summary><c>tune</c>: settings for a benchmark or for own data, searched on the validation split.</summary>
static class TuneCommand
{
    private const int MaxTrials = 1_000;

    public static Command Create()
    {
        var benchmark = new Option<string?>("--benchmark") { Description = "Tune this benchmark's preset." };
        benchmark.AcceptOnlyFromAmong([.. BenchmarkPreset.All.Select(preset => preset.Name)]);
        var data = new Option<string?>("--data") { Description = "Directory of the data sets with --benchmark; else a file of events." };
        var request = new Option<FileInfo?>("--request") { Description = "A TrainRequest as JSON, whose settings are the start: its data, cleaning, split and tasks." };
        var space = new Option<FileInfo?>("--space") { Description = "What to search, as JSON: by setting a list of values, or {\"low\": 1e-4, \"high\": 1e-2, \"log\": true, \"integer\": false}. Names are those of the contract (learning_rate, hidden_size, trunk, weighting …) and weight.TASK. Default: learning rate, dropout, sizes, batch, optimiser, weight decay, warm-up, min_context; with several tasks also trunk, experts and weighting." };
        var trials = new Option<int>("--trials") { Description = $"Choices of settings, the first of which is the preset as it is: 1 to {MaxTrials}.", DefaultValueFactory = _ => 16 };
        var rungs = new Option<int[]>("--rungs") { Description = "Epochs in all after each rung, ascending; one number is a random search.", DefaultValueFactory = _ => [3, 9, 27], AllowMultipleArgumentsPerToken = true };
        var keep = new Option<double>("--keep") { Description = "Share of the trials that goes on to the next rung, above 0, below 1.", DefaultValueFactory = _ => 0.34 };
        var seed = new Option<long>("--seed") { Description = "Seed of the draws and of the trainings.", DefaultValueFactory = _ => 1 };
        var output = new Option<DirectoryInfo>("--out") { Description = "Directory of the search: tune.json, checkpoints, best.json and tune.png. Started again with the same arguments, the search goes on there.", Required = true };
        var json = new Option<bool>("--json") { Description = "Print one JSON object on the last line of standard output." };
        trials.Validators.Add(result => Check(result, result.GetValueOrDefault<int>() is >= 1 and <= MaxTrials, $"--trials must be 1 to {MaxTrials}."));
        rungs.Validators.Add(result => Check(
            result, result.GetValueOrDefault<int[]>() is { Length: > 0 } given && given[0] >= 1 && given.Zip(given.Skip(1)).All(pair => pair.First < pair.Second), "--rungs must be ascending numbers of epochs, for example 3 9 27."));
        keep.Validators.Add(result => Check(result, result.GetValueOrDefault<double>() is > 0 and < 1, "--keep must be above 0 and below 1."));
        var command = new Command("tune", "Searches settings by successive halving on the validation split; the test split is not looked at.")
        {
            benchmark, data, request, space, trials, rungs, keep, seed, output, json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(benchmark) is not null ? result.GetValue(data) is null || result.GetValue(request) is not null : result.GetValue(data) is null && result.GetValue(request) is null)
                result.AddError("Give --benchmark with --data, the directory of the data sets; or own events with --data FILE or --request FILE.");
        });
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                try
                {
                    var (plan, dataset) = parsed.GetValue(benchmark) is { } name
                        ? OfBenchmark(name, parsed.GetRequiredValue(data)!)
                        : EvaluationData.ToTrain(parsed.GetValue(request)?.FullName, parsed.GetValue(data), [], cancellation);
                    var chosen = parsed.GetValue(space) is { } file
                        ? PlanSettings.ReadFile(file.FullName)
                        : DefaultSpace.Of(plan);
                    var search = new SuccessiveHalving(
                        plan with { ModelName = "tune", Optimization = plan.Optimization with { Seed = parsed.GetValue(seed) } }, new SearchSpace(chosen), parsed.GetValue(trials),
                        parsed.GetRequiredValue(rungs), parsed.GetValue(keep), parsed.GetValue(seed), parsed.GetRequiredValue(output).FullName);
                    return Run(search, dataset, parsed.GetValue(json), cancellation);
                }
                catch (Exception refusal) when (Refusals.IsForAPerson(refusal))
                {
                    System.Console.Error.WriteLine($"tune: {refusal.Message}");
                    return 1;
                }
            },
            cancellation));
        return command;

        static void Check(System.CommandLine.Parsing.SymbolResult result, bool isGood, string message)
        {
            if (!isGood)
                result.AddError(message);
        }
    }

    private static int Run(SuccessiveHalving search, SequenceDataset dataset, bool json, CancellationToken cancellation)
    {
        var state = search.Run(dataset, TrainingDisplay.Run, TimeProvider.System, System.Console.Error.WriteLine, cancellation);
        TuningReport.Write(state, search.Directory);
        TrainingDisplay.Console.Write(TuningReport.ToTable(state));
        System.Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"The best settings are in {Path.Combine(search.Directory, "best.json")}."));
        if (json)
            System.Console.Out.WriteLine(TuningReport.ToJson(state));
        return 0;
    }

    private static (TrainingPlan, SequenceDataset) OfBenchmark(string name, string dataRoot)
    {
        var preset = BenchmarkPreset.All.First(candidate => candidate.Name == name);
        // The rungs say how long.
        return ((preset with { Optimization = preset.Optimization with { MaxDuration = null } }).ToPlan("tune"), BenchmarkData.Load(name, dataRoot));
    }
}
