using GrpcRec.V1;
using static GrpcRec.Server.Mapping.TrainRequestRules;

namespace GrpcRec.Server.Mapping;

/// <summary>The bounds of how a training request wants to learn.</summary>
static class HyperparameterRules
{
    const int DefaultBatchSize = 64;

    // BatchSize times the longest sequence: what a step holds in memory.
    const int MaxEventsPerStep = 262_144;

    // Those times the negatives: the scores of a sampled loss, a gigabyte.
    const long MaxScoresPerStep = 1L << 28;

    /// <param name="maxSequenceLength">Of the network.</param>
    public static void Check(Hyperparameters? parameters, int maxSequenceLength, Violations violations)
    {
        if (parameters is null) return;
        var length = Math.Clamp(maxSequenceLength, 1, 2_048);
        var batch = parameters.HasBatchSize ? Math.Max(1, parameters.BatchSize) : DefaultBatchSize;
        const string at = "hyperparameters.";
        InRange(at + "epochs", parameters.HasEpochs, parameters.Epochs, 1, 10_000, violations);
        InRange(at + "batch_size", parameters.HasBatchSize, parameters.BatchSize, 1, Math.Min(4_096, MaxEventsPerStep / length), violations);
        if (parameters.HasLearningRate && parameters.LearningRate is not (>= 1e-7 and <= 1))
            violations.Add(at + "learning_rate", RangeReason(parameters.LearningRate), $"is {Number(parameters.LearningRate)}; 1e-7 to 1.");
        if (parameters.HasGradientClipNorm && parameters.GradientClipNorm is not (>= 1e-6 and <= 1e6))
            violations.Add(at + "gradient_clip_norm", RangeReason(parameters.GradientClipNorm), $"is {Number(parameters.GradientClipNorm)}; 1e-6 to 1e6.");
        InRange(at + "patience", parameters.HasPatience, parameters.Patience, 1, 10_000, violations);
        CheckDuration(at + "max_duration", parameters.MaxDuration, violations);
        IsDefined(at + "weighting", parameters.Weighting, violations);
        InRange(at + "min_context", parameters.HasMinContext, parameters.MinContext, 0, length - 1, violations);

        Between(at + "distillation", parameters.HasDistillation, parameters.Distillation, 1, violations);
        IsDefined(at + "optimizer", parameters.Optimizer, violations);
        Between(at + "momentum", parameters.HasMomentum, parameters.Momentum, 0.999, violations);
        Between(at + "weight_decay", parameters.HasWeightDecay, parameters.WeightDecay, 1, violations);
        IsDefined(at + "schedule", parameters.Schedule, violations);
        Between(at + "warm_up", parameters.HasWarmUp, parameters.WarmUp, 0.5, violations);
        IsDefined(at + "next_item_loss", parameters.NextItemLoss, violations);
        var scores = parameters.NextItemLoss is NextItemLoss.SampledSoftmax or NextItemLoss.BprMax ? MaxScoresPerStep / ((long)batch * length) : long.MaxValue;
        InRange(at + "negatives", parameters.HasNegatives, parameters.Negatives, 1, (int)Math.Clamp(scores, 1, 16_384), violations);
        Between(at + "sampling_power", parameters.HasSamplingPower, parameters.SamplingPower, 1, violations);
        Between(at + "score_penalty", parameters.HasScorePenalty, parameters.ScorePenalty, 1_000, violations);
    }

    static void IsDefined<T>(string field, T value, Violations violations)
        where T : struct, Enum
    {
        if (!Enum.IsDefined(value))
            violations.Add(field, ViolationReason.UnknownName, $"is {value:D}, which is no {typeof(T).Name}.");
    }

    /// <summary>From 0.</summary>
    static void Between(string field, bool given, double value, double high, Violations violations)
    {
        if (given && !(value >= 0 && value <= high))
            violations.Add(field, RangeReason(value), $"is {Number(value)}; 0 to {Number(high)}.");
    }
}
