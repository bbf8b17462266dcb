using GrpcRec.Training.Learning;
using GrpcRec.Training.Losses;
using GrpcRec.Training.Optimizers;
using GrpcRec.Training.Weighting;
using GrpcRec.V1;
using LearningRateSchedule = GrpcRec.Training.Optimizers.LearningRateSchedule;

namespace GrpcRec.Trainer.Mapping;

/// <summary>How a request wants to learn. Absent fields are the defaults', which the contract states where none are given.</summary>
static class OptimizationMapping
{
    public static OptimizationPlan FromWire(Hyperparameters wire, OptimizationPlan? defaults = null)
    {
        defaults ??= new OptimizationPlan();
        return defaults with
        {
            Epochs = wire.HasEpochs ? wire.Epochs : defaults.Epochs,
            BatchSize = wire.HasBatchSize ? wire.BatchSize : defaults.BatchSize,
            LearningRate = wire.HasLearningRate ? wire.LearningRate : defaults.LearningRate,
            GradientClipNorm = wire.HasGradientClipNorm ? wire.GradientClipNorm : defaults.GradientClipNorm,
            Patience = wire.HasPatience ? wire.Patience : defaults.Patience,
            MaxDuration = wire.MaxDuration?.ToTimeSpan() ?? defaults.MaxDuration,
            Seed = wire.HasSeed ? wire.Seed : defaults.Seed,
            MinContext = wire.HasMinContext ? wire.MinContext : defaults.MinContext,
            Optimizer = Optimizer(wire, defaults.Optimizer),
            NextItem = NextItem(wire, defaults.NextItem),
            Weighting = wire.Weighting switch
            {
                V1.Weighting.Unspecified => defaults.Weighting,
                V1.Weighting.Fixed => WeightingKind.Fixed,
                V1.Weighting.Equal => WeightingKind.Equal,
                V1.Weighting.Uncertainty => WeightingKind.Uncertainty,
                V1.Weighting.Dwa => WeightingKind.Dwa,
                V1.Weighting.Gradnorm => WeightingKind.GradNorm,
                V1.Weighting.Pcgrad => WeightingKind.PcGrad,
                V1.Weighting.Cagrad => WeightingKind.CaGrad,
                V1.Weighting.Famo => WeightingKind.Famo,
                _ => throw Unknown("weighting", (int)wire.Weighting, "hyperparameters.weighting"),
            },
        };
    }

    private static OptimizerPlan Optimizer(Hyperparameters wire, OptimizerPlan defaults) => defaults with
    {
        Kind = wire.Optimizer switch
        {
            V1.Optimizer.Unspecified => defaults.Kind,
            V1.Optimizer.Adam => OptimizerKind.Adam,
            V1.Optimizer.Adamw => OptimizerKind.AdamW,
            V1.Optimizer.Sgd => OptimizerKind.Sgd,
            _ => throw Unknown("optimizer", (int)wire.Optimizer, "hyperparameters.optimizer"),
        },
        Momentum = wire.HasMomentum ? wire.Momentum : defaults.Momentum,
        WeightDecay = wire.HasWeightDecay ? wire.WeightDecay : defaults.WeightDecay,
        LazyEmbeddings = wire.HasLazyEmbeddings ? wire.LazyEmbeddings : defaults.LazyEmbeddings,
        Schedule = wire.Schedule switch
        {
            V1.LearningRateSchedule.Unspecified => defaults.Schedule,
            V1.LearningRateSchedule.Constant => LearningRateSchedule.Constant,
            V1.LearningRateSchedule.Cosine => LearningRateSchedule.Cosine,
            _ => throw Unknown("schedule", (int)wire.Schedule, "hyperparameters.schedule"),
        },
        WarmUp = wire.HasWarmUp ? wire.WarmUp : defaults.WarmUp,
    };

    private static NextItemPlan NextItem(Hyperparameters wire, NextItemPlan defaults) => defaults with
    {
        Loss = wire.NextItemLoss switch
        {
            NextItemLoss.Unspecified => defaults.Loss,
            NextItemLoss.FullSoftmax => NextItemLossKind.FullSoftmax,
            NextItemLoss.SampledSoftmax => NextItemLossKind.SampledSoftmax,
            NextItemLoss.BprMax => NextItemLossKind.BprMax,
            _ => throw Unknown("next_item_loss", (int)wire.NextItemLoss, "hyperparameters.next_item_loss"),
        },
        Float32Products = wire.HasFloat32Products ? wire.Float32Products : defaults.Float32Products,
        Negatives = wire.HasNegatives ? wire.Negatives : defaults.Negatives,
        SamplingPower = wire.HasSamplingPower ? wire.SamplingPower : defaults.SamplingPower,
        ScorePenalty = wire.HasScorePenalty ? wire.ScorePenalty : defaults.ScorePenalty,
    };

    private static TrainingException Unknown(string field, int value, string plan) =>
        new($"hyperparameters.{field} is {value}, which this build does not know.") { Field = plan };
}
