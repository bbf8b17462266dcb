using GrpcRec.Training.Learning;
using GrpcRec.V1;

namespace GrpcRec.Trainer.Mapping;

/// <summary>A <see cref="TrainRequest"/> as the plan that training follows. Absent fields take the plan's own defaults, which the contract states.</summary>
static class PlanMapping
{
    public static TrainingPlan FromWire(TrainRequest request, string version) => new()
    {
        ModelName = request.ModelName,
        ModelVersion = version,
        Tasks = TaskMapping.FromWire(request.Tasks),
        Architecture = ArchitectureMapping.FromWire(request.Architecture ?? new Architecture()),
        Optimization = OptimizationMapping.FromWire(request.Hyperparameters ?? new Hyperparameters()),
        ComparesSingleTasks = request.CompareSingleTasks,
        Distillation = request.Hyperparameters?.Distillation ?? 0,
    };
}
