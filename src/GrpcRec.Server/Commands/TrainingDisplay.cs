using System.Globalization;
using Grpc.Core;
using GrpcRec.V1;
using Spectre.Console;

namespace GrpcRec.Server.Commands;

/// <summary>Shows a training's progress: a bar of the epoch at work on a terminal, a line for each phase and epoch elsewhere.</summary>
sealed class TrainingDisplay(IAnsiConsole console)
{
    /// <param name="trainings">The job's states, to the last.</param>
    /// <returns>The last one.</returns>
    public Task<Training> ShowAsync(IAsyncEnumerable<Training> trainings) =>
        console.Profile.Capabilities.Interactive && console.Profile.Capabilities.Ansi ? ShowBarAsync(trainings) : ShowLinesAsync(trainings);

    async Task<Training> ShowBarAsync(IAsyncEnumerable<Training> trainings)
    {
        var last = new Training();
        await console.Progress()
            .AutoClear(false)
            .Columns(new SpinnerColumn(), new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .StartAsync(async context =>
            {
                var bar = context.AddTask("waiting", maxValue: 1);
                await foreach (var training in trainings)
                {
                    last = training;
                    bar.Description = Markup.Escape(Describe(training));
                    var progress = training.Progress;
                    bar.IsIndeterminate = progress is not { Steps: > 0 };
                    bar.Value = progress is { Steps: > 0 } ? Math.Min(1, (double)progress.Step / progress.Steps) : 0;
                }
                bar.IsIndeterminate = false;
                bar.Value = 1;
                bar.Description = Markup.Escape(Describe(last));
            });
        return last;
    }

    async Task<Training> ShowLinesAsync(IAsyncEnumerable<Training> trainings)
    {
        var last = new Training();
        (TrainingState, string, TrainingPhase, int)? shown = null;
        await foreach (var training in trainings)
        {
            var stage = (training.State, training.Progress?.SingleTask ?? "", training.Progress?.Phase ?? TrainingPhase.Unspecified, training.Progress?.Epoch ?? 0);
            if (stage != shown) console.WriteLine(Describe(training));
            (shown, last) = (stage, training);
        }
        return last;
    }

    public static async IAsyncEnumerable<Training> Read(AsyncServerStreamingCall<TrainResponse> call)
    {
        await foreach (var response in call.ResponseStream.ReadAllAsync()) yield return response.Training;
    }

    static string Describe(Training training)
    {
        if (training.State is TrainingState.Failed) return $"failed: {training.Error}";
        if (training.State is not TrainingState.Running || training.Progress is not { } progress) return training.State.ToString().ToLowerInvariant();
        var doing = progress.Phase switch
        {
            TrainingPhase.Importing => $"reading events, {progress.Step.ToString("N0", CultureInfo.InvariantCulture)} rows",
            TrainingPhase.Training when progress.Epochs == 0 => "counting", // a baseline has no epochs
            TrainingPhase.Training => $"epoch {progress.Epoch}/{progress.Epochs}  {Losses(progress)}{Validation(progress)}{Remaining(progress)}",
            TrainingPhase.Validating => $"epoch {progress.Epoch}/{progress.Epochs}  validating  {Losses(progress)}{Validation(progress)}",
            TrainingPhase.Testing when progress.BestEpoch == 0 => "testing",
            TrainingPhase.Testing => $"testing epoch {progress.BestEpoch}, the best{Validation(progress)}",
            TrainingPhase.Writing => "writing the model",
            _ => "starting",
        };
        return progress.SingleTask.Length > 0 ? $"{progress.SingleTask} alone: {doing}" : doing;
    }

    static string Losses(TrainingProgress progress)
    {
        var loss = $"loss {Number(progress.Loss)}";
        return progress.TaskLosses.Count < 2 ? loss
            : $"{loss} ({string.Join(", ", progress.TaskLosses.OrderBy(task => task.Key, StringComparer.Ordinal).Select(task => $"{task.Key} {Number(task.Value)}"))})";
    }

    static string Validation(TrainingProgress progress)
    {
        const int shown = 3;
        var metrics = MetricTable.Headlines(progress.ValidationMetrics.Keys).Take(shown);
        var text = string.Join(", ", metrics.Select(metric => $"{metric} {Number(progress.ValidationMetrics[metric])}"));
        return text.Length == 0 ? "" : $"  validation {text}";
    }

    static string Remaining(TrainingProgress progress) =>
        progress.Remaining is { } remaining ? $"  about {remaining.ToTimeSpan():m\\:ss} left" : "";

    static string Number(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
}
