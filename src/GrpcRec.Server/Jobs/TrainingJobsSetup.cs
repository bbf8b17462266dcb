using GrpcRec.Server.Hosting;
using GrpcRec.Server.Services;
using GrpcRec.Serving.Registry;
using GrpcRec.V1;

namespace GrpcRec.Server.Jobs;

/// <summary>Puts the training jobs into a server.</summary>
public static class TrainingJobsSetup
{
    public static IServiceCollection AddTrainingJobs(this IServiceCollection services, ServerOptions options) => services
        .AddSingleton(new TrainingJobsOptions
        {
            StateDirectory = options.StateDirectory,
            DataRoot = options.DataRoot,
            ModelsRoot = options.ModelsDirectory,
            TrainerPath = options.Trainer,
            WorkerMemoryBytes = options.TrainerMemoryBytes,
        })
        .AddSingleton<ActivateModel>(provider =>
        {
            var registry = provider.GetRequiredService<ModelRegistry>();
            // Reading a model takes as long as its file is big, and the queue's loop shares its thread.
            return (name, version, cancellation) => Task.Run(() => registry.Activate(name, version).Rejection?.Message, cancellation);
        })
        .AddSingleton<TrainerSupervisor>()
        .AddSingleton<TrainingJobs>()
        .AddSingleton<EvaluationRuns>()
        .AddHostedService(provider => provider.GetRequiredService<TrainingJobs>())
        .AddSingleton<TrainingGrpcService>();

    public static void MapTrainingJobs(this IEndpointRouteBuilder endpoints) => endpoints.MapGrpcService(services => GuardedServiceBinder.Bind(
        binder => TrainingService.BindService(binder, services.GetRequiredService<TrainingGrpcService>())));
}
