using Grpc.Core;
using GrpcRec.Server.Jobs;
using GrpcRec.Server.Mapping;
using GrpcRec.V1;

namespace GrpcRec.Server.Services;

/// <summary>The wire end of training: asks for jobs, tells about them, and owns none of them.</summary>
public sealed class TrainingGrpcService(TrainingJobs jobs, TrainingJobsOptions options) : TrainingService.TrainingServiceBase
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

    public override Task Evaluate(EvaluateRequest request, IServerStreamWriter<EvaluateResponse> responseStream, ServerCallContext context) =>
        throw StatusMapping.Unimplemented("Evaluate", "Every training measures its model on the test split (Training.metrics), and the command `grpcrec evaluate` runs the benchmarks.");

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
