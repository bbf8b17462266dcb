using GrpcRec.Training.Learning;
using GrpcRec.Training.Weighting;
using GrpcRec.V1;
using Weighting = GrpcRec.V1.Weighting;

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
        Optimization = FromWire(request.Hyperparameters ?? new Hyperparameters()),
    };

    private static OptimizationPlan FromWire(Hyperparameters wire)
    {
        var defaults = new OptimizationPlan();
        return defaults with
        {
            Epochs = wire.HasEpochs ? wire.Epochs : defaults.Epochs,
            BatchSize = wire.HasBatchSize ? wire.BatchSize : defaults.BatchSize,
            LearningRate = wire.HasLearningRate ? wire.LearningRate : defaults.LearningRate,
            GradientClipNorm = wire.HasGradientClipNorm ? wire.GradientClipNorm : defaults.GradientClipNorm,
            Patience = wire.HasPatience ? wire.Patience : defaults.Patience,
            MaxDuration = wire.MaxDuration?.ToTimeSpan(),
            Seed = wire.HasSeed ? wire.Seed : defaults.Seed,
            MinContext = wire.HasMinContext ? wire.MinContext : defaults.MinContext,
            Weighting = wire.Weighting switch
            {
                Weighting.Unspecified => defaults.Weighting,
                Weighting.Fixed => WeightingKind.Fixed,
                Weighting.Equal => WeightingKind.Equal,
                Weighting.Uncertainty => WeightingKind.Uncertainty,
                Weighting.Dwa => WeightingKind.Dwa,
                Weighting.Gradnorm => WeightingKind.GradNorm,
                Weighting.Pcgrad => WeightingKind.PcGrad,
                Weighting.Cagrad => WeightingKind.CaGrad,
                Weighting.Famo => WeightingKind.Famo,
                _ => throw new TrainingException($"hyperparameters.weighting is {(int)wire.Weighting}, which this build does not know.") { Field = "Optimization.Weighting" },
            },
        };
    }
}
