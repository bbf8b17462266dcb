using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Losses;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Optimizers;

namespace GrpcRec.Training.Learning;

/// <summary>Bounds of a plan, and the manifest of the model that it asks for.</summary>
internal static class TrainingPlanRules
{
    public const int MaxEpochs = 10_000;
    public const int MaxCutoffs = 16;

    /// <summary>Scores of a step are [events, negatives]: a sample much larger than this is the whole catalogue, for which there is a loss.</summary>
    public const int MaxNegatives = 1 << 14;

    /// <summary>Those of a step in float32 are a gigabyte; some of them are alive at once.</summary>
    public const long MaxScoresPerStep = 1L << 28;

    /// <summary>BatchSize × MaxSequenceLength: at H = 128 an event of a step takes about 10 KB, so this is some 2.5 GB.</summary>
    public const int MaxEventsPerStep = 1 << 18;

    /// <exception cref="TrainingException">A field is out of its range; <see cref="TrainingException.Field"/> names it.</exception>
    public static void Check(TrainingPlan plan)
    {
        var (network, optimization) = (plan.Architecture, plan.Optimization);
        ArchitectureRules.Check(network);
        Between("hyperparameters.epochs", optimization.Epochs, 1, MaxEpochs);
        Between("hyperparameters.batch_size", optimization.BatchSize, 1, MaxEventsPerStep / network.MaxSequenceLength);
        Between("hyperparameters.learning_rate", optimization.LearningRate, 1e-7, 10);
        CheckOptimizer(optimization);
        if (optimization.NextItem.Loss != NextItemLossKind.FullSoftmax)
            Between("hyperparameters.negatives", optimization.NextItem.Negatives, 1, MaxScoresPerStep / ((long)optimization.BatchSize * network.MaxSequenceLength));
        if (network.RepeatTerms && optimization.NextItem.Loss != NextItemLossKind.FullSoftmax)
            throw Bad("architecture.repeat_terms", "are learnt by the full softmax alone; choose hyperparameters.next_item_loss full_softmax, or leave them out");
        Between("hyperparameters.gradient_clip_norm", optimization.GradientClipNorm, 1e-6, 1e6);
        Between("hyperparameters.patience", optimization.Patience, 1, MaxEpochs);
        Between("hyperparameters.min_context", optimization.MinContext, 0, plan.Architecture.MaxSequenceLength - 1);
        if (optimization.MaxDuration is { } duration && duration <= TimeSpan.Zero)
            throw Bad("hyperparameters.max_duration", "must be above zero; leave it out for no limit");
        Between("hyperparameters.distillation", plan.Distillation, 0, 1);
        if (plan.Distillation > 0 && plan.Tasks.All(task => task.Kind != TaskKind.Binary))
            throw Bad("hyperparameters.distillation", "softens the labels of binary tasks, and no task is one; leave it out");
        Between("evaluation.cutoffs (count)", plan.Evaluation.Cutoffs.Count, 1, MaxCutoffs);
        foreach (var cutoff in plan.Evaluation.Cutoffs)
            Between("evaluation.cutoffs", cutoff, 1, 1_000_000);
    }

    private static void CheckOptimizer(OptimizationPlan plan)
    {
        if (!Enum.IsDefined(plan.Optimizer.Kind))
            throw Bad("hyperparameters.optimizer", "is not an optimiser");
        if (!Enum.IsDefined(plan.Optimizer.Schedule))
            throw Bad("hyperparameters.schedule", "is not a schedule");
        if (!Enum.IsDefined(plan.NextItem.Loss))
            throw Bad("hyperparameters.next_item_loss", "is not a loss");
        Between("hyperparameters.momentum", plan.Optimizer.Momentum, 0, 0.999);
        Between("hyperparameters.weight_decay", plan.Optimizer.WeightDecay, 0, 1);
        Between("hyperparameters.warm_up", plan.Optimizer.WarmUp, 0, 0.5);
        Between("hyperparameters.negatives", plan.NextItem.Negatives, 1, MaxNegatives);
        Between("hyperparameters.sampling_power", plan.NextItem.SamplingPower, 0, 1);
        Between("hyperparameters.score_penalty", plan.NextItem.ScorePenalty, 0, 1000);
    }

    /// <summary>Every task needs a label to learn from.</summary>
    /// <exception cref="TrainingException">No target of the training split, or none that a task labels.</exception>
    public static void CheckLabels(SequenceDataset dataset, IReadOnlyList<TaskLabels> tasks)
    {
        foreach (var task in tasks)
        {
            var labelled = false;
            for (var s = 0; s < dataset.SequenceCount && !labelled; s++)
            {
                for (var t = dataset.Offsets[s] + 1; t < dataset.Offsets[s + 1] && !labelled; t++)
                    labelled = dataset.Roles[t] == SplitRole.Train && (task.Kind == TaskKind.NextItem || !float.IsNaN(task.Label[t]));
            }

            if (!labelled)
            {
                throw new TrainingException($"Task {task.Name} has no labelled event in the training split, so there is nothing to learn it from. Check the split, and the column that gives the label.")
                {
                    Field = "Tasks",
                };
            }
        }
    }

    /// <summary>Without files, metrics and counts of parameters: those come when the model is written.</summary>
    public static ModelManifest Manifest(TrainingPlan plan, SequenceDataset dataset, IReadOnlyList<TaskLabels> tasks, DateTimeOffset createdAt) => FeatureRules.Extend(
        Plain(plan, dataset, tasks, createdAt), plan.Architecture, dataset, tasks);

    private static ModelManifest Plain(TrainingPlan plan, SequenceDataset dataset, IReadOnlyList<TaskLabels> tasks, DateTimeOffset createdAt) => new()
    {
        FormatVersion = ModelManifest.CurrentFormat,
        Name = plan.ModelName,
        Version = plan.ModelVersion,
        CreatedAt = createdAt,
        CatalogSize = dataset.Items.Count,
        Behaviors = dataset.Behaviors,
        Categories = dataset.Categories,
        MaxSequenceLength = plan.Architecture.MaxSequenceLength,
        Data = dataset.Fingerprint,
        Tasks = [.. tasks.Select(task => new TaskManifest
        {
            Name = task.Name, Kind = task.Kind, NeedsCandidate = task.NeedsCandidate, ClassNames = task.ClassNames, Given = task.Definition.Given,
            Offset = task.Standard.Offset, Scale = task.Standard.Scale,
        })],
        Encoder = ArchitectureRules.Manifest(plan.Architecture, dataset, hasCandidateTask: tasks.Any(task => task.NeedsCandidate && task.Kind != TaskKind.NextItem)),
    };

    /// <summary>
    /// Of all that shapes the weights. How long to train is left out where the learning rate does not hang on it: a run may be taken up again
    /// with more epochs or time.
    /// </summary>
    public static string Fingerprint(TrainingPlan plan)
    {
        var knowsItsEnd = plan.Optimization.Optimizer is { Schedule: not LearningRateSchedule.Constant } or { WarmUp: > 0 };
        var parts = new List<string>
        {
            plan.ModelName, plan.ModelVersion, JsonSerializer.Serialize(plan.Architecture, OfFingerprint),
            (plan.Optimization with { Epochs = knowsItsEnd ? plan.Optimization.Epochs : 0, Patience = 0, MaxDuration = null }).ToString(),
            plan.Evaluation.MaskSeen.ToString(), string.Join(',', plan.Evaluation.Cutoffs),
        };
        if (plan.Distillation > 0)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"distillation {plan.Distillation:R}"));
        foreach (var task in plan.Tasks)
        {
            var label = task.Label is null ? "" : task.Label.GetType().Name + JsonSerializer.Serialize(task.Label, task.Label.GetType());
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{task.Name}|{task.Kind}|{task.Weight:R}|{label}|{task.Given}"));
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts))));
    }

    /// <summary>Without the features where there are none, so that a plan that could be written before there were any keeps its fingerprint, and its checkpoints.</summary>
    private static readonly JsonSerializerOptions OfFingerprint = new()
    {
        TypeInfoResolver = new DefaultJsonTypeInfoResolver
        {
            Modifiers =
            {
                type =>
                {
                    foreach (var property in type.Type == typeof(ArchitecturePlan) ? type.Properties : [])
                    {
                        property.ShouldSerialize = property.Name switch
                        {
                            nameof(ArchitecturePlan.EventFeatures) => (plan, _) => ((ArchitecturePlan)plan).EventFeatures.Count > 0,
                            nameof(ArchitecturePlan.RequestFeatures) => (plan, _) => ((ArchitecturePlan)plan).RequestFeatures.Count > 0,
                            nameof(ArchitecturePlan.ItemMemory) => (plan, _) => ((ArchitecturePlan)plan).ItemMemory,
                            nameof(ArchitecturePlan.RepeatTerms) => (plan, _) => ((ArchitecturePlan)plan).RepeatTerms,
                            nameof(ArchitecturePlan.ItemTerms) or nameof(ArchitecturePlan.ItemTermRate) => (plan, _) => ((ArchitecturePlan)plan).ItemTerms,
                            _ => null,
                        };
                    }
                },
            },
        },
    };

    public static void Between(string field, double value, double low, double high)
    {
        if (!(value >= low && value <= high))
            throw Bad(field, string.Create(CultureInfo.InvariantCulture, $"is {value}; give {low} to {high}"));
    }

    public static TrainingException Bad(string field, string why) => new($"{field} {why}.") { Field = field };
}
