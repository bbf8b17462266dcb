using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using GrpcRec.Server.Tests.Hosting;
using GrpcRec.V1;

namespace GrpcRec.Server.Tests.Jobs;

public class TrainingServiceTests
{
    static Task<TestServer> StartAsync() => TestServer.StartAsync(
        options => options with { Trainer = Path.Combine(options.DataRoot, "worker.sh") },
        folder =>
        {
            TroubledWorker.Write(folder, TroubledWorker.Hangs);
            File.WriteAllText(Path.Combine(folder, "events.csv"), "user_id,item_id\n");
            File.WriteAllText(Path.Combine(folder, "events.dat"), "");
        });

    static TrainRequest Request() => new() { ModelName = "m", Data = new() { Path = "events.csv" } };

    static readonly EventFeatureSpec Gap = new() { Name = "gap", Source = "time_gap" };

    static TaskSpec Task(TaskKind kind, LabelSpec? label = null) => new() { Name = "t", Kind = kind, Label = label };

    static void Baseline(TrainRequest request, string baseline, params TaskSpec[] tasks)
    {
        request.Baseline = baseline;
        request.Tasks.Add(tasks);
    }

    static void Distil(TrainRequest request, double share, params TaskSpec[] tasks)
    {
        request.Hyperparameters = new() { Distillation = share };
        request.Tasks.Add(tasks);
    }

    static void With(TrainRequest request, Architecture network, params TaskSpec[] tasks)
    {
        request.Architecture = network;
        request.Tasks.Add(tasks);
    }

    /// <summary>One change for the worse each, the field at fault, the reason.</summary>
    static readonly (Action<TrainRequest> Spoil, string Field, string Reason)[] Mistakes =
    [
        (r => r.ModelName = "", "model_name", "REQUIRED"),
        (r => r.ModelName = new('a', 65), "model_name", "TOO_LONG"),
        (r => r.ModelName = "-a", "model_name", "INVALID_FORMAT"),
        (r => r.ModelName = "../a", "model_name", "INVALID_FORMAT"),
        (r => r.ModelName = "A", "model_name", "INVALID_FORMAT"),
        (r => r.Data = null, "data", "REQUIRED"),
        (r => r.Data.Path = "", "data.path", "REQUIRED"),
        (r => r.Data.Path = "../events.csv", "data.path", "NOT_ALLOWED"),
        (r => r.Data.Path = "/etc/passwd", "data.path", "NOT_ALLOWED"),
        (r => r.Data.Path = "events.dat", "data.format", "REQUIRED"),
        (r => r.Data.Format = (DataFormat)9, "data.format", "UNKNOWN_NAME"),
        (r => r.Data.Columns = new() { ItemId = new('a', 257) }, "data.columns.item_id", "TOO_LONG"),
        (r => r.Data.Columns = new() { Labels = { "a", "a" } }, "data.columns.labels[1]", "REPEATED"),
        (r => r.Data.Columns = new() { Contexts = { "a", "a" } }, "data.columns.contexts[1]", "REPEATED"),
        (r => r.Data.Columns = new() { Contexts = { new string('a', 65) } }, "data.columns.contexts[0]", "TOO_LONG"),
        (r => r.Data.Columns = new() { Contexts = { Enumerable.Range(0, 17).Select(i => $"c{i}") } }, "data.columns.contexts", "TOO_MANY"),
        (r => r.Data.Columns = new() { Labels = { "" } }, "data.columns.labels[0]", "REQUIRED"),
        (r => r.Data.Columns = new() { Labels = { Enumerable.Range(0, 65).Select(i => $"l{i}") } }, "data.columns.labels", "TOO_MANY"),
        (r => r.Data.Cleaning = new() { MinUserEvents = 0 }, "data.cleaning.min_user_events", "OUT_OF_RANGE"),
        (r => r.Data.Cleaning = new() { MinItemEvents = -1 }, "data.cleaning.min_item_events", "OUT_OF_RANGE"),
        (r => r.Data.Cleaning = new() { MaxBadRowShare = 1.1 }, "data.cleaning.max_bad_row_share", "OUT_OF_RANGE"),
        (r => r.Data.Cleaning = new() { MaxBadRowShare = double.NaN }, "data.cleaning.max_bad_row_share", "NOT_FINITE"),
        (r => r.Data.Cleaning = new() { SessionGap = new() { Seconds = -1 } }, "data.cleaning.session_gap", "OUT_OF_RANGE"),
        (r => r.Tasks.Add(Enumerable.Range(0, 17).Select(i => new TaskSpec { Name = $"t{i}", Kind = TaskKind.NextItem })), "tasks", "TOO_MANY"),
        (r => r.Tasks.Add(new TaskSpec { Kind = TaskKind.NextItem }), "tasks[0].name", "REQUIRED"),
        (r => r.Tasks.Add(new TaskSpec { Name = "1a", Kind = TaskKind.NextItem }), "tasks[0].name", "INVALID_FORMAT"),
        (r => r.Tasks.Add(new TaskSpec { Name = new('a', 65), Kind = TaskKind.NextItem }), "tasks[0].name", "TOO_LONG"),
        (r => r.Tasks.Add([Task(TaskKind.NextItem), Task(TaskKind.NextItem)]), "tasks[1].name", "REPEATED"),
        (r => r.Tasks.Add(Task(TaskKind.Unspecified)), "tasks[0].kind", "REQUIRED"),
        (r => r.Tasks.Add(Task((TaskKind)9)), "tasks[0].kind", "UNKNOWN_NAME"),
        (r => r.Tasks.Add(Task(TaskKind.Regression)), "tasks[0].label", "REQUIRED"),
        (r => r.Tasks.Add(Task(TaskKind.Regression, new() { ValueAtLeast = 1 })), "tasks[0].label", "NOT_ALLOWED"),
        (r => r.Tasks.Add(Task(TaskKind.Regression, new() { NextValue = false })), "tasks[0].label.next_value", "OUT_OF_RANGE"),
        (r => r.Tasks.Add(new TaskSpec { Name = "t", Kind = TaskKind.NextItem, Given = "u" }), "tasks[0].given", "NOT_ALLOWED"),
        (r => r.Tasks.Add(new TaskSpec { Name = "t", Kind = TaskKind.Binary, Label = new() { ValueAtLeast = 1 }, Given = "t" }), "tasks[0].given", "UNKNOWN_NAME"),
        (r => r.Tasks.Add(new TaskSpec { Name = "t", Kind = TaskKind.NextItem, Weight = 0 }), "tasks[0].weight", "OUT_OF_RANGE"),
        (r => r.Tasks.Add(new TaskSpec { Name = "t", Kind = TaskKind.NextItem, Weight = 1_001 }), "tasks[0].weight", "OUT_OF_RANGE"),
        (r => r.Tasks.Add(new TaskSpec { Name = "t", Kind = TaskKind.NextItem, Weight = double.PositiveInfinity }), "tasks[0].weight", "NOT_FINITE"),
        (r => r.Tasks.Add(Task(TaskKind.NextItem, new() { NextCategory = true })), "tasks[0].label", "NOT_ALLOWED"),
        (r => r.Tasks.Add(Task(TaskKind.Binary)), "tasks[0].label", "REQUIRED"),
        (r => r.Tasks.Add(Task(TaskKind.Binary, new() { NextCategory = true })), "tasks[0].label", "NOT_ALLOWED"),
        (r => r.Tasks.Add(Task(TaskKind.Multiclass, new() { ValueAtLeast = 1 })), "tasks[0].label", "NOT_ALLOWED"),
        (r => r.Tasks.Add(Task(TaskKind.Binary, new() { Behaviors = new() })), "tasks[0].label.behaviors.names", "REQUIRED"),
        (r => r.Tasks.Add(Task(TaskKind.Binary, new() { Behaviors = new() { Names = { "a", "a" } } })), "tasks[0].label.behaviors.names[1]", "REPEATED"),
        (r => r.Tasks.Add(Task(TaskKind.Binary, new() { ValueAtLeast = double.NaN })), "tasks[0].label.value_at_least", "NOT_FINITE"),
        (r => r.Tasks.Add(Task(TaskKind.Binary, new() { Column = "c" })), "tasks[0].label.column", "UNKNOWN_NAME"),
        (r => r.Tasks.Add(Task(TaskKind.Multiclass, new() { ValueClasses = new() { Values = { 1 } } })), "tasks[0].label.value_classes.values", "OUT_OF_RANGE"),
        (r => r.Tasks.Add(Task(TaskKind.Multiclass, new() { ValueClasses = new() { Values = { 1, 1 } } })), "tasks[0].label.value_classes.values[1]", "OUT_OF_ORDER"),
        (r => r.Tasks.Add(Task(TaskKind.Multiclass, new() { NextBehavior = false })), "tasks[0].label.next_behavior", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { Encoder = "transformer" }, "architecture.encoder", "UNKNOWN_NAME"),
        (r => r.Architecture = new() { GruReset = (GruReset)9 }, "architecture.gru_reset", "UNKNOWN_NAME"),
        (r => r.Architecture = new() { Encoder = "cnn", Layers = 2 }, "architecture.layers", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { Encoder = "bag", Layers = 4 }, "architecture.layers", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { WindowLength = 65 }, "architecture.window_length", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { FilterHeights = { 9 } }, "architecture.filter_heights[0]", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { FilterHeights = { 2, 2 } }, "architecture.filter_heights[1]", "OUT_OF_ORDER"),
        (r => r.Architecture = new() { WindowLength = 1, FilterHeights = { 1, 1 } }, "architecture.filter_heights", "TOO_MANY"),
        (r => r.Architecture = new() { HorizontalFilters = 0 }, "architecture.horizontal_filters", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { VerticalFilters = 257 }, "architecture.vertical_filters", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { Trunk = "mixture" }, "architecture.trunk", "UNKNOWN_NAME"),
        (r => r.Architecture = new() { SharedExperts = 0 }, "architecture.shared_experts", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { TaskExperts = 33 }, "architecture.task_experts", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { TrunkLevels = 3 }, "architecture.trunk_levels", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { EventFeatures = { new EventFeatureSpec() } }, "architecture.event_features[0].name", "REQUIRED"),
        (r => r.Architecture = new() { EventFeatures = { new EventFeatureSpec { Name = "tab" } } }, "architecture.event_features[0].name", "UNKNOWN_NAME"),
        (r => r.Architecture = new() { EventFeatures = { new EventFeatureSpec { Name = "Gap", Source = "time_gap" } } }, "architecture.event_features[0].name", "INVALID_FORMAT"),
        (r => r.Architecture = new() { EventFeatures = { Gap, Gap } }, "architecture.event_features[1].name", "REPEATED"),
        (r => r.Architecture = new() { EventFeatures = { new EventFeatureSpec { Name = "gap", Source = "gap" } } }, "architecture.event_features[0].source", "UNKNOWN_NAME"),
        (r => r.Architecture = new() { EventFeatures = { new EventFeatureSpec(Gap) { Buckets = 1 } } }, "architecture.event_features[0].buckets", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { EventFeatures = { new EventFeatureSpec(Gap) { EmbeddingSize = 0 } } }, "architecture.event_features[0].embedding_size", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { RequestFeatures = { new RequestFeatureSpec { Name = "tab" } } }, "architecture.request_features[0].name", "UNKNOWN_NAME"),
        (r => r.Architecture = new() { EventFeatures = { Enumerable.Range(0, 33).Select(i => new EventFeatureSpec(Gap) { Name = $"g{i}" }) } }, "architecture.event_features", "TOO_MANY"),
        (r => r.Architecture = new() { ItemTermRate = 1.5 }, "architecture.item_term_rate", "OUT_OF_RANGE"),
        (r => (r.Architecture, r.Hyperparameters) = (new() { RepeatTerms = true }, new() { NextItemLoss = NextItemLoss.SampledSoftmax }), "architecture.repeat_terms", "NOT_ALLOWED"),
        (r => With(r, new() { RepeatTerms = true }, Task(TaskKind.Binary, new() { ValueAtLeast = 1 })), "architecture.repeat_terms", "NOT_ALLOWED"),
        (r => With(r, new() { ItemMemory = true }, Task(TaskKind.Binary, new() { ValueAtLeast = 1 })), "architecture.item_memory", "NOT_ALLOWED"),
        (r => r.Architecture = new() { EmbeddingSize = 3 }, "architecture.embedding_size", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { HiddenSize = 1_025 }, "architecture.hidden_size", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { Layers = 5 }, "architecture.layers", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { Dropout = 0.95 }, "architecture.dropout", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { BottomSize = 0 }, "architecture.bottom_size", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { TowerSize = -1 }, "architecture.tower_size", "OUT_OF_RANGE"),
        (r => r.Architecture = new() { MaxSequenceLength = 2_049 }, "architecture.max_sequence_length", "OUT_OF_RANGE"),
        (r => r.Hyperparameters = new() { Epochs = 0 }, "hyperparameters.epochs", "OUT_OF_RANGE"),
        (r => r.Hyperparameters = new() { BatchSize = 4_097 }, "hyperparameters.batch_size", "OUT_OF_RANGE"),
        (r => r.Hyperparameters = new() { BatchSize = 1_311 }, "hyperparameters.batch_size", "OUT_OF_RANGE"), // × 200 events, past what a step holds
        (r => r.Hyperparameters = new() { MinContext = 200 }, "hyperparameters.min_context", "OUT_OF_RANGE"), // of the default 200
        (r => r.Hyperparameters = new() { LearningRate = 1e-8 }, "hyperparameters.learning_rate", "OUT_OF_RANGE"),
        (r => r.Hyperparameters = new() { GradientClipNorm = 1e7 }, "hyperparameters.gradient_clip_norm", "OUT_OF_RANGE"),
        (r => r.Hyperparameters = new() { LearningRate = 0 }, "hyperparameters.learning_rate", "OUT_OF_RANGE"),
        (r => r.Hyperparameters = new() { GradientClipNorm = double.PositiveInfinity }, "hyperparameters.gradient_clip_norm", "NOT_FINITE"),
        (r => r.Hyperparameters = new() { Patience = 0 }, "hyperparameters.patience", "OUT_OF_RANGE"),
        (r => r.Hyperparameters = new() { Optimizer = (Optimizer)9 }, "hyperparameters.optimizer", "UNKNOWN_NAME"),
        (r => r.Hyperparameters = new() { Momentum = 1 }, "hyperparameters.momentum", "OUT_OF_RANGE"),
        (r => r.Hyperparameters = new() { WeightDecay = double.NaN }, "hyperparameters.weight_decay", "NOT_FINITE"),
        (r => r.Hyperparameters = new() { Schedule = (LearningRateSchedule)9 }, "hyperparameters.schedule", "UNKNOWN_NAME"),
        (r => r.Hyperparameters = new() { WarmUp = 0.6 }, "hyperparameters.warm_up", "OUT_OF_RANGE"),
        (r => r.Hyperparameters = new() { NextItemLoss = (NextItemLoss)9 }, "hyperparameters.next_item_loss", "UNKNOWN_NAME"),
        (r => r.Hyperparameters = new() { Negatives = 16_385 }, "hyperparameters.negatives", "OUT_OF_RANGE"),
        (r => r.Hyperparameters = new() { BatchSize = 1_000, NextItemLoss = NextItemLoss.BprMax, Negatives = 1_343 }, "hyperparameters.negatives", "OUT_OF_RANGE"),
        (r => r.Hyperparameters = new() { SamplingPower = -0.1 }, "hyperparameters.sampling_power", "OUT_OF_RANGE"),
        (r => r.Hyperparameters = new() { ScorePenalty = 1_001 }, "hyperparameters.score_penalty", "OUT_OF_RANGE"),
        (r => Distil(r, 1.5, Task(TaskKind.Binary, new() { ValueAtLeast = 1 })), "hyperparameters.distillation", "OUT_OF_RANGE"),
        (r => Distil(r, 0.5, Task(TaskKind.NextItem)), "hyperparameters.distillation", "NOT_ALLOWED"),
        (r => Distil(r, 0.5), "hyperparameters.distillation", "NOT_ALLOWED"), // by default one next_item task
        (r => r.Hyperparameters = new() { MaxDuration = new() }, "hyperparameters.max_duration", "OUT_OF_RANGE"),
        (r => r.Baseline = "svd", "baseline", "UNKNOWN_NAME"),
        (r => Baseline(r, "mf", Task(TaskKind.Binary, new() { ValueAtLeast = 1 })), "tasks", "NOT_ALLOWED"),
        (r => Baseline(r, "item-knn", Task(TaskKind.Binary, new() { ValueAtLeast = 1 })), "tasks", "NOT_ALLOWED"),
        (r => Baseline(r, "rates"), "tasks", "REQUIRED"),
        (r => Baseline(r, "rates", Task(TaskKind.NextItem)), "tasks", "NOT_ALLOWED"),
        (r => Baseline(r, "rates", Task(TaskKind.Binary, new() { ValueAtLeast = 1 }), new() { Name = "u", Kind = TaskKind.Binary, Label = new() { ValueAtLeast = 2 }, Given = "t" }), "tasks", "NOT_ALLOWED"),
        (r => r.Split = new() { Time = new() { ValidationShare = 1 } }, "split.time.validation_share", "OUT_OF_RANGE"),
        (r => r.Split = new() { Time = new() { TestShare = 0.95 } }, "split.time", "OUT_OF_RANGE"),
        (r => r.Split = new() { Date = new() { TestFrom = new Timestamp { Seconds = 1 } } }, "split.date.validation_from", "REQUIRED"),
        (r => r.Split = new() { Date = new() { ValidationFrom = new Timestamp { Seconds = 2 }, TestFrom = new Timestamp { Seconds = 2 } } }, "split.date.test_from", "OUT_OF_ORDER"),
        (r => r.Split = new() { Date = new() { ValidationFrom = new Timestamp { Nanos = -1 }, TestFrom = new Timestamp { Seconds = 2 } } }, "split.date.validation_from", "OUT_OF_RANGE"),
    ];

    [Fact]
    public async System.Threading.Tasks.Task Train_EachMistake_IsBlamedOnItsFieldAndMakesNoJob()
    {
        await using var server = await StartAsync();
        var client = new TrainingService.TrainingServiceClient(server.Channel);
        foreach (var (spoil, field, reason) in Mistakes)
        {
            var request = Request();
            spoil(request);
            var error = await FirstErrorAsync(client, request);
            error.Blames(field, reason);
            Assert.Single(error.Fields);
        }
        Assert.Empty((await client.ListTrainingsAsync(new())).Trainings);
    }

    [Fact]
    public async System.Threading.Tasks.Task Train_SeveralMistakes_AreToldTogether()
    {
        await using var server = await StartAsync();
        var request = new TrainRequest { Hyperparameters = new() { Epochs = 0 }, Architecture = new() { Encoder = "transformer" } };
        var error = await FirstErrorAsync(new(server.Channel), request);
        Assert.Equal(["model_name", "data", "architecture.encoder", "hyperparameters.epochs"], error.Fields);
    }

    [Fact]
    public async System.Threading.Tasks.Task Train_WatcherGoesAway_JobGoesOnUntilItIsCancelled()
    {
        await using var server = await StartAsync();
        var client = new TrainingService.TrainingServiceClient(server.Channel);
        string id;
        using (var call = client.Train(Request()))
        {
            Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
            id = call.ResponseStream.Current.Training.TrainingId;
        }

        using var watch = client.WatchTraining(new() { TrainingId = id });
        while (await watch.ResponseStream.MoveNext(CancellationToken.None) && watch.ResponseStream.Current.Training.Attempts == 0)
        {
        }
        Assert.Equal(TrainingState.Running, (await client.GetTrainingAsync(new() { TrainingId = id })).Training.State);
        await client.CancelTrainingAsync(new() { TrainingId = id });
        Training? last = null;
        while (await watch.ResponseStream.MoveNext(CancellationToken.None)) last = watch.ResponseStream.Current.Training;
        Assert.Equal(TrainingState.Cancelled, last!.State);

        var again = await WireError.OfAsync(() => client.CancelTrainingAsync(new() { TrainingId = id }).ResponseAsync);
        Assert.Equal((StatusCode.FailedPrecondition, "TRAINING_ENDED"), (again.Code, again.Reason));
        Assert.Equal(id, Assert.Single((await client.ListTrainingsAsync(new() { PageSize = 1 })).Trainings).TrainingId);
    }

    [Fact]
    public async System.Threading.Tasks.Task Calls_UnknownOrMissingId_AreRefusedClearly()
    {
        await using var server = await StartAsync();
        var client = new TrainingService.TrainingServiceClient(server.Channel);
        var unknown = await WireError.OfAsync(() => client.GetTrainingAsync(new() { TrainingId = "../x" }).ResponseAsync);
        Assert.Equal((StatusCode.NotFound, "TRAINING_NOT_FOUND"), (unknown.Code, unknown.Reason));
        (await WireError.OfAsync(() => client.CancelTrainingAsync(new()).ResponseAsync)).Blames("training_id", "REQUIRED");
        (await WireError.OfAsync(() => client.ListTrainingsAsync(new() { PageSize = 0 }).ResponseAsync)).Blames("page_size", "OUT_OF_RANGE");
    }

    static async Task<WireError> FirstErrorAsync(TrainingService.TrainingServiceClient client, TrainRequest request)
    {
        using var call = client.Train(request);
        return await WireError.OfAsync(() => call.ResponseStream.MoveNext(CancellationToken.None));
    }
}
