using GrpcRec.Server.Services;

namespace GrpcRec.Server.Jobs;

/// <summary>Puts the training jobs into a server.</summary>
public static class TrainingJobsSetup
{
    /// <summary>Expects a <see cref="TimeProvider"/> and an <see cref="ActivateModel"/> among the services.</summary>
    public static IServiceCollection AddTrainingJobs(this IServiceCollection services, TrainingJobsOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton<TrainerSupervisor>();
        services.AddSingleton<TrainingJobs>();
        services.AddHostedService(provider => provider.GetRequiredService<TrainingJobs>());
        return services;
    }

    public static void MapTrainingJobs(this IEndpointRouteBuilder endpoints) => endpoints.MapGrpcService<TrainingGrpcService>();
}
