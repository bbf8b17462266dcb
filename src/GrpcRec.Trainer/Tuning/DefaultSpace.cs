using System.Text.Json.Nodes;
using GrpcRec.Engine.Models;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Losses;

namespace GrpcRec.Trainer.Tuning;

/// <summary>Where nobody gives a space: what most often matters for such a plan. Any choice of it is within the plan's bounds.</summary>
static class DefaultSpace
{
    private static readonly int[] BatchSizes = [32, 64, 128];

    public static JsonObject Of(TrainingPlan plan)
    {
        var space = new JsonObject
        {
            ["learning_rate"] = new JsonObject { ["low"] = 0.0005, ["high"] = 0.01, ["log"] = true },
            ["dropout"] = new JsonArray(0.1, 0.2, 0.3, 0.4, 0.5),
            ["embedding_size"] = new JsonArray(32, 64, 128),
            ["hidden_size"] = new JsonArray(64, 128, 256),
            ["batch_size"] = new JsonArray([.. BatchSizes.Where(size => Fits(plan, size)).DefaultIfEmpty(plan.Optimization.BatchSize).Select(size => JsonValue.Create(size))]),
            ["optimizer"] = new JsonArray("adam", "adamw"),
            ["weight_decay"] = new JsonArray(0, 1e-6, 1e-4),
            ["warm_up"] = new JsonArray(0, 0.05),
        };

        // Matters where histories are longer than windows.
        if (plan.Architecture.MaxSequenceLength >= 8)
            space["min_context"] = new JsonArray(0, plan.Architecture.MaxSequenceLength / 4, plan.Architecture.MaxSequenceLength / 2);
        if (plan.Tasks.Any(task => task.Kind == TaskKind.NextItem))
            space["item_memory"] = new JsonArray(false, true);
        if (plan.Tasks.Any(task => task.Kind == TaskKind.NextItem) && plan.Optimization.NextItem.Loss == NextItemLossKind.FullSoftmax)
            space["repeat_terms"] = new JsonArray(false, true);
        if (plan.Tasks.Any(task => task.Kind != TaskKind.NextItem))
            space["bottom_size"] = new JsonArray(32, 64, 128);
        if (plan.Tasks.Count(task => task.Kind != TaskKind.NextItem) > 1)
        {
            space["trunk"] = new JsonArray("shared_bottom", "mmoe", "cgc", "ple", "stem");
            space["shared_experts"] = new JsonArray(2, 4);
            space["weighting"] = new JsonArray("fixed", "uncertainty", "dwa", "famo");
        }

        return space;
    }

    /// <summary>The events of a step are bounded, and so are its scores.</summary>
    private static bool Fits(TrainingPlan plan, int batchSize)
    {
        try
        {
            (plan with { Optimization = plan.Optimization with { BatchSize = batchSize } }).Check();
            return true;
        }
        catch (TrainingException)
        {
            return false;
        }
    }
}
