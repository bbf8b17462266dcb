using Grpc.Core;
using GrpcRec.Server.Jobs;
using GrpcRec.Server.Mapping;
using GrpcRec.Serving.Registry;
using GrpcRec.V1;

namespace GrpcRec.Server.Services;

/// <summary>The wire end of training: asks for jobs, tells about them, and owns none of them.</summary>
public sealed class TrainingGrpcService(TrainingJobs jobs, EvaluationRuns evaluations, ModelRegistry registry, TrainingJobsOptions options) : TrainingService.TrainingServiceBase
{
    const int DefaultPageSize = 100;
    const int MaxPageSize = 1_000;

    public override async Task Train(TrainRequest request, IServerStreamWriter<TrainResponse> responseStream, ServerCallContext context)
    {
        var violations = new Violations();
        TrainRequestRules.Check(request, options.DataRoot, violations);
        violations.ThrowIfAny();

        var job = jobs.Submit(request).OrThrow();
        using var watcher = job.TryWatch().OrThrow();
        await foreach (var training in watcher.ReadAsync(context.CancellationToken))
            await responseStream.WriteAsync(new() { Training = training }, context.CancellationToken);
    }

    public override Task<GetTrainingResponse> GetTraining(GetTrainingRequest request, ServerCallContext context) =>
        Task.FromResult(new GetTrainingResponse { Training = Find(request.TrainingId).Current });

    public override Task<ListTrainingsResponse> ListTrainings(ListTrainingsRequest request, ServerCallContext context)
    {
        var size = request.HasPageSize ? request.PageSize : DefaultPageSize;
        if (size is < 1 or > MaxPageSize)
        {
            var violations = new Violations();
            violations.Add("page_size", ViolationReason.OutOfRange, $"is {size}; 1 to 1,000.");
            violations.ThrowIfAny();
        }
        var response = new ListTrainingsResponse();
        response.Trainings.AddRange(jobs.List(size));
        return Task.FromResult(response);
    }

    public override async Task WatchTraining(WatchTrainingRequest request, IServerStreamWriter<WatchTrainingResponse> responseStream, ServerCallContext context)
    {
        using var watcher = Find(request.TrainingId).TryWatch().OrThrow();
        await foreach (var training in watcher.ReadAsync(context.CancellationToken))
            await responseStream.WriteAsync(new() { Training = training }, context.CancellationToken);
    }

    public override Task<CancelTrainingResponse> CancelTraining(CancelTrainingRequest request, ServerCallContext context)
    {
        var job = Find(request.TrainingId);
        return Task.FromResult(new CancelTrainingResponse { Training = jobs.Cancel(job).OrThrow() });
    }

    public override async Task Evaluate(EvaluateRequest request, IServerStreamWriter<EvaluateResponse> responseStream, ServerCallContext context)
    {
        var violations = new Violations();
        EvaluateRequestRules.Check(request, options.DataRoot, violations);
        violations.ThrowIfAny();
        var (name, version) = ModelMapping.ReadSelector(request.Model?.Name, request.Model?.Version);
        var model = registry.Get(name, version).OrThrow();

        var asked = request.Clone();
        asked.Model = new() { Name = model.Name, Version = model.Version };
        if (await evaluations.RunAsync(asked, response => responseStream.WriteAsync(response, context.CancellationToken), context.CancellationToken) is { } refusal)
            throw StatusMapping.ToException(refusal);
    }

    TrainingJob Find(string id)
    {
        if (id.Length == 0)
        {
            var violations = new Violations();
            violations.Add("training_id", ViolationReason.Required, "is required; ListTrainings gives the ids.");
            violations.ThrowIfAny();
        }
        return jobs.Find(id).OrThrow();
    }
}
