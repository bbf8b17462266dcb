using System.Diagnostics;
using System.Text.Json;
using Grpc.Core;
using GrpcRec.Server.Jobs;
using GrpcRec.V1;

namespace GrpcRec.Interop.Tests;

/// <summary>The real training worker under a real server, and what happens to it.</summary>
public sealed class TrainingWorkerTests(TrainingFixture training) : IClassFixture<TrainingFixture>
{
    /// <summary>More epochs than pass before a test does what it is about.</summary>
    const int ManyEpochs = 60;

    [SkippableFact]
    public async Task Train_WorkerKilled_IsRestartedFromItsCheckpointAndSucceeds()
    {
        _ = Installed.Trainer;
        await using var server = await training.StartAsync();
        using var call = new TrainingService.TrainingServiceClient(server.Channel).Train(training.Request(ManyEpochs));
        var job = await UntilAsync(call, state => state.Progress?.Epoch >= 3);
        Kill(server, job.TrainingId);

        var resumed = await UntilAsync(call, state => state.Attempts == 2 && state.Progress?.Phase == TrainingPhase.Training);
        Assert.True(resumed.Progress.Epoch >= 2, $"It began again with epoch {resumed.Progress.Epoch}.");
        var end = await UntilAsync(call, state => TrainingJob.IsEnd(state.State));
        Assert.Equal((TrainingState.Succeeded, 2, ""), (end.State, end.Attempts, end.Error));
        Assert.False(Directory.Exists(Path.Combine(server.Options.StateDirectory, "jobs", end.TrainingId, "work")));
    }

    [SkippableFact]
    public async Task Train_SeveralTasks_TellsHowTheyStandAndWritesAReport()
    {
        _ = Installed.Trainer;
        await using var server = await training.StartAsync();
        var request = training.Request(epochs: 2);
        request.CompareSingleTasks = true;
        using var call = new TrainingService.TrainingServiceClient(server.Channel).Train(request);
        var end = await UntilAsync(call, state => TrainingJob.IsEnd(state.State));
        Assert.Equal((TrainingState.Succeeded, ""), (end.State, end.Error));

        string[] tasks = [.. request.Tasks.Select(task => task.Name)];
        Assert.Equal(tasks, end.Relatedness.Tasks);
        Assert.Equal(tasks.Length * tasks.Length, end.Relatedness.GradientCosines.Count);
        Assert.All(Enumerable.Range(0, tasks.Length), k => Assert.Equal(1, end.Relatedness.GradientCosines[(k * tasks.Length) + k], 1e-3));
        Assert.Equal(tasks, end.Relatedness.Gains.Select(gain => gain.Task));
        Assert.All(end.Relatedness.Gains, gain => Assert.Equal(end.Metrics[gain.Metric], gain.MultiTask));

        // What was compared with is not left among the models; the report stands beside the weights.
        Assert.Equal(["world"], Directory.GetDirectories(server.Options.ModelsDirectory).Select(Path.GetFileName));
        var page = Path.Combine(server.Options.ModelsDirectory, "world", end.Model.Version, "report", "report.html");
        Assert.Contains("What the tasks have of each other", await File.ReadAllTextAsync(page), StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Evaluate_ModelJustTrained_RepeatsItsTestMetricsWithIntervals()
    {
        _ = Installed.Trainer;
        await using var server = await training.StartAsync();
        var client = new TrainingService.TrainingServiceClient(server.Channel);
        var request = training.Request(2);
        using var train = client.Train(request);
        var trained = await UntilAsync(train, state => TrainingJob.IsEnd(state.State));
        Assert.Equal((TrainingState.Succeeded, ""), (trained.State, trained.Error));

        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        using var evaluate = client.Evaluate(new() { Data = request.Data, Split = request.Split, Tasks = { request.Tasks }, Resamples = 200 }, cancellationToken: patience.Token);
        List<EvaluateResponse> answers = [];
        while (await evaluate.ResponseStream.MoveNext(patience.Token)) answers.Add(evaluate.ResponseStream.Current);
        Assert.All(answers.SkipLast(1), answer => Assert.Empty(answer.Metrics));
        Assert.Equal(answers.Select(answer => answer.Progress).Order(), answers.Select(answer => answer.Progress));

        var last = answers[^1];
        Assert.Equal((1, 200, true, trained.Model), (last.Progress, last.Resamples, last.IsTrainingData, last.Model));
        Assert.Equal(trained.Metrics.OrderBy(metric => metric.Key), last.Metrics.OrderBy(metric => metric.Key));
        Assert.All(last.Intervals, interval => Assert.InRange(last.Metrics[interval.Key], interval.Value.Low - 0.05, interval.Value.High + 0.05));
        Assert.Contains("ndcg@10", last.Intervals.Keys);
        Assert.NotEmpty(last.Calibration);
        Assert.True(last.ImportReport.RowsKept > 0);

        // What is not the model's is the worker's refusal, with its reason.
        using var wrong = client.Evaluate(new() { Data = request.Data, Split = request.Split }, cancellationToken: patience.Token);
        var error = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await wrong.ResponseStream.MoveNext(patience.Token))
            {
            }
        });
        Assert.Equal(StatusCode.FailedPrecondition, error.StatusCode);
        Assert.Contains("tasks", error.Status.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain(server.Options.DataRoot, error.Status.Detail, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("popularity")]
    [InlineData("mf")]
    [InlineData("markov-1")]
    [InlineData("item-knn")]
    public async Task Train_Baseline_IsServedLikeAnyModel(string baseline)
    {
        _ = Installed.Trainer;
        await using var server = await training.StartAsync();
        var request = training.Request(1);
        request.Baseline = baseline;
        request.Tasks.Clear();
        using var call = new TrainingService.TrainingServiceClient(server.Channel).Train(request);
        var end = await UntilAsync(call, state => TrainingJob.IsEnd(state.State));
        Assert.Equal((TrainingState.Succeeded, ""), (end.State, end.Error));
        Assert.InRange(end.Metrics["hr@10"], 0.01, 1);

        var rows = File.ReadLines(Path.Combine(server.Options.DataRoot, request.Data.Path)).Take(2).Select(line => line.Split(',')).ToArray();
        var past = new EventSequence { Events = { new Event { ItemId = rows[1][Array.IndexOf(rows[0], "item_id")] } } };
        var ranked = await new RecommendationService.RecommendationServiceClient(server.Channel).RankAsync(new() { User = new() { Sequence = past }, K = 5 });
        Assert.Equal(5, ranked.Items.Count);
    }

    [SkippableFact]
    public async Task Train_Rates_AreServedAsProbabilities()
    {
        _ = Installed.Trainer;
        await using var server = await training.StartAsync();
        var request = training.Request(1);
        request.Baseline = "rates";
        TaskSpec[] binary = [.. request.Tasks.Where(task => task.Kind == TaskKind.Binary && task.Given.Length == 0)];
        Assert.NotEmpty(binary);
        request.Tasks.Clear();
        request.Tasks.Add(binary);
        using var call = new TrainingService.TrainingServiceClient(server.Channel).Train(request);
        var end = await UntilAsync(call, state => TrainingJob.IsEnd(state.State));
        Assert.Equal((TrainingState.Succeeded, ""), (end.State, end.Error));
        Assert.All(binary, task => Assert.InRange(end.Metrics[$"auc/{task.Name}"], 0, 1)); // of a few purchases: chance may have it anywhere

        var rows = File.ReadLines(Path.Combine(server.Options.DataRoot, request.Data.Path)).Take(2).Select(line => line.Split(',')).ToArray();
        var item = rows[1][Array.IndexOf(rows[0], "item_id")];
        var scored = await new RecommendationService.RecommendationServiceClient(server.Channel).ScoreAsync(new()
        {
            User = new() { Sequence = new EventSequence { Events = { new Event { ItemId = item } } } }, CandidateItemIds = { item },
        });
        Assert.Equal(binary.Select(task => task.Name), scored.Candidates[0].Predictions.Select(prediction => prediction.Task));
        Assert.All(scored.Candidates[0].Predictions, prediction => Assert.InRange(prediction.Probability, 0.001, 0.999));
    }

    [SkippableFact]
    public async Task Train_Cancelled_EndsTheWorkerAndPublishesNothing()
    {
        _ = Installed.Trainer;
        await using var server = await training.StartAsync();
        var client = new TrainingService.TrainingServiceClient(server.Channel);
        using var call = client.Train(training.Request(ManyEpochs));
        var job = await UntilAsync(call, state => state.Progress?.Phase == TrainingPhase.Training);
        var worker = WorkerOf(server, job.TrainingId);
        await client.CancelTrainingAsync(new() { TrainingId = job.TrainingId });
        var end = await UntilAsync(call, state => TrainingJob.IsEnd(state.State));
        Assert.Equal(TrainingState.Cancelled, end.State);
        Assert.False(worker.IsAlive);
        Assert.Empty((await new ModelService.ModelServiceClient(server.Channel).ListModelsAsync(new())).Models);
    }

    [SkippableFact]
    public async Task Train_PastTheMemoryLimit_FailsWithThatReason()
    {
        _ = Installed.Trainer;
        // Less than the worker needs before its first step, more than the least that the option takes.
        await using var server = await training.StartAsync(options => options with { TrainerMemoryBytes = 80L << 20 });
        using var call = new TrainingService.TrainingServiceClient(server.Channel).Train(training.Request(ManyEpochs));
        var end = await UntilAsync(call, state => TrainingJob.IsEnd(state.State));
        Assert.Equal(TrainingState.Failed, end.State);
        Assert.Contains("--trainer-memory", end.Error, StringComparison.Ordinal);
        Assert.Equal(1, end.Attempts);
    }

    [SkippableFact]
    public async Task Train_FaultOfTheData_FailsWithTheWorkersReasonAndNoRestart()
    {
        _ = Installed.Trainer;
        await using var server = await training.StartAsync();
        var request = training.Request(1);
        request.Data.Columns = new() { ItemId = "no_such_column" };
        using var call = new TrainingService.TrainingServiceClient(server.Channel).Train(request);
        var end = await UntilAsync(call, state => TrainingJob.IsEnd(state.State));
        Assert.Equal((TrainingState.Failed, 1), (end.State, end.Attempts));
        Assert.Contains("no_such_column", end.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(server.Options.DataRoot, end.Error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Server_StoppedWhileTraining_SaysSoWhenItIsBack()
    {
        _ = Installed.Trainer;
        string id;
        ProcessIdentity worker;
        var first = await training.StartAsync();
        await using (first)
        {
            using var call = new TrainingService.TrainingServiceClient(first.Channel).Train(training.Request(ManyEpochs));
            id = (await UntilAsync(call, state => state.Progress?.Phase == TrainingPhase.Training)).TrainingId;
            worker = WorkerOf(first, id);
        }
        Assert.False(worker.IsAlive);

        await using var second = await training.StartAsync(_ => first.Options);
        var job = (await new TrainingService.TrainingServiceClient(second.Channel).GetTrainingAsync(new() { TrainingId = id })).Training;
        Assert.Equal((TrainingState.Failed, TrainingJobs.ServerStopped), (job.State, job.Error));
    }

    static async Task<Training> UntilAsync(AsyncServerStreamingCall<TrainResponse> call, Func<Training, bool> wanted)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        Training? last = null;
        while (await call.ResponseStream.MoveNext(patience.Token))
        {
            last = call.ResponseStream.Current.Training;
            if (wanted(last)) return last;
        }
        throw new InvalidOperationException($"The stream ended before: {last}");
    }

    static void Kill(TrainingServer server, string id)
    {
        using var process = Process.GetProcessById(WorkerOf(server, id).Pid);
        process.Kill();
    }

    static ProcessIdentity WorkerOf(TrainingServer server, string id)
    {
        using var record = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(server.Options.StateDirectory, "jobs", id, "job.json")));
        var worker = record.RootElement.GetProperty("worker");
        return new(worker.GetProperty("pid").GetInt32(), worker.GetProperty("start_ticks").GetInt64());
    }
}
