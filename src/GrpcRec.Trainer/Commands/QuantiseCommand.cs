using System.CommandLine;
using GrpcRec.Engine.Models;
using GrpcRec.Protocol;
using GrpcRec.Trainer.Benchmarks;
using GrpcRec.Trainer.Display;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using Spectre.Console;

namespace GrpcRec.Trainer.Commands;

/// <summary><c>quantise</c>: the fastest precision of a model whose measured loss is within a bound, as a new version.</summary>
static class QuantiseCommand
{
    private const string Auto = "auto";

    public static Command Create()
    {
        var model = new Argument<DirectoryInfo>("model") { Description = "Directory of a trained version, for example models/default/v1." };
        var version = new Option<string>("--version") { Description = "Name of the version to write beside it.", Required = true };
        var benchmark = new Option<string?>("--benchmark") { Description = "Measure on this benchmark's validation split." };
        benchmark.AcceptOnlyFromAmong([.. BenchmarkPreset.All.Select(preset => preset.Name)]);
        var data = new Option<string?>("--data") { Description = "The events that the model was trained on (.csv, .tsv, .jsonl, .parquet); with --benchmark the directory of the data sets." };
        var request = new Option<FileInfo?>("--request") { Description = "The TrainRequest that made the model, as JSON: its data, cleaning, split and tasks." };
        var tasks = new Option<string[]>("--tasks") { Description = $"The model's tasks, as they were given to train. Default: the request's, else next=next_item. Examples: {TaskFlags.Syntax}.", AllowMultipleArgumentsPerToken = true };
        var precision = new Option<string>("--precision") { Description = "auto: the fastest of int8 and bf16 that is within the bound.", DefaultValueFactory = _ => Auto };
        precision.AcceptOnlyFromAmong([Auto, .. PrecisionEvaluator.Reduced.Select(QuantiseReport.NameOf)]);
        var loss = new Option<double>("--max-loss") { Description = "Share of the metric that may be lost: ndcg@10 of a model that ranks, else the mean AUC.", DefaultValueFactory = _ => 0.005 };
        loss.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= 0 and < 1))
                result.AddError("--max-loss must be at least 0 and below 1, for example 0.005 for half a percent.");
        });
        var json = new Option<bool>("--json") { Description = "Print one JSON object on the last line of standard output." };
        var command = new Command(
            "quantise",
            "Measures a model in reduced precisions on its validation data and writes the fastest that loses little enough as a new version. Nothing is written when none does.")
        {
            model, version, benchmark, data, request, tasks, precision, loss, json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(benchmark) is not null)
            {
                if (result.GetValue(data) is null || result.GetValue(request) is not null || result.GetValue(tasks) is { Length: > 0 })
                    result.AddError("With --benchmark give --data, the directory of the data sets, and neither --request nor --tasks.");
            }
            else if (result.GetValue(data) is null && result.GetValue(request) is null)
            {
                result.AddError("Give the model's events with --data FILE or --request FILE, or a --benchmark.");
            }
        });
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                try
                {
                    var chosen = parsed.GetRequiredValue(precision);
                    return Run(
                        parsed.GetRequiredValue(model).FullName,
                        parsed.GetRequiredValue(version),
                        () => parsed.GetValue(benchmark) is { } name
                            ? EvaluationData.OfBenchmark(name, parsed.GetRequiredValue(data)!)
                            : EvaluationData.OfEvents(parsed.GetValue(request)?.FullName, parsed.GetValue(data), parsed.GetValue(tasks) ?? [], cancellation),
                        [.. PrecisionEvaluator.Reduced.Where(candidate => chosen == Auto || chosen == QuantiseReport.NameOf(candidate))],
                        parsed.GetValue(loss),
                        parsed.GetValue(json),
                        System.Console.Out,
                        System.Console.Error,
                        cancellation);
                }
                catch (Exception refusal) when (Refusals.IsForAPerson(refusal))
                {
                    System.Console.Error.WriteLine($"quantise: {refusal.Message}");
                    return 1;
                }
            },
            cancellation));
        return command;
    }

    /// <param name="directory">Of the artefact; the new version is written beside it.</param>
    /// <param name="load">Called once nothing is left that would refuse the version.</param>
    /// <param name="precisions">To measure, the fastest first.</param>
    /// <returns>Exit code: 1 where every precision loses more than <paramref name="maxLoss"/>.</returns>
    internal static int Run(
        string directory, string version, Func<EvaluationData> load, IReadOnlyList<Precision> precisions, double maxLoss, bool json,
        TextWriter output, TextWriter error, CancellationToken cancellation)
    {
        // 1. Refuse early what could not be written in the end.
        var artifact = ModelArtifact.Load(directory);
        var target = Path.Combine(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(directory)) ?? directory, version);
        var writer = new PrecisionWriter(artifact, target, version);

        // 2. Measure.
        var data = load();
        if (data.Dataset.Fingerprint.Sha256 != artifact.Manifest.Data.Sha256)
            error.WriteLine("quantise: these are not the very events that the model was trained on; what follows is measured on these.");
        var report = TrainingDisplay.Shares<Precision, PrecisionReport>(
            measured => $"{QuantiseReport.NameOf(measured)}, validation",
            progress => PrecisionEvaluator.Evaluate(artifact, data.Dataset, data.Tasks, data.Plan, precisions, maxLoss, progress, cancellation));

        // 3. Write the new version, with its own test metrics.
        ModelManifest? written = null;
        if (report.Chosen is { } chosen)
        {
            var test = ModelEvaluator.Evaluate(artifact, data.Dataset, data.Tasks, data.Plan, SplitRole.Test, chosen.Precision, cancellation: cancellation);
            written = writer.Write(chosen, test, TimeProvider.System.GetUtcNow());
        }

        var result = QuantiseReport.Of(artifact.Manifest, written, report, maxLoss);
        TrainingDisplay.Console.Write(result.ToTable());
        if (json)
            output.WriteLine(result.ToJson());
        if (written is null)
        {
            error.WriteLine($"quantise: {result.Refusal()}");
            return 1;
        }

        error.WriteLine($"{written.Name} {written.Version} is stored; it runs in {QuantiseReport.NameOf(written.Precision!.Precision)}.");
        return 0;
    }
}
