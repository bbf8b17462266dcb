using System.Text.Json;
using System.Text.Json.Nodes;
using GrpcRec.Protocol;
using GrpcRec.Trainer.Mapping;
using GrpcRec.Training.Learning;

namespace GrpcRec.Trainer.Tuning;

/// <summary><see cref="RequestSettings"/> over a plan.</summary>
static class PlanSettings
{
    /// <summary>Of the files that a search writes.</summary>
    public static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    /// <exception cref="TrainingException">A name or a value that the contract does not have, or one out of its bounds.</exception>
    public static TrainingPlan Apply(TrainingPlan plan, JsonObject settings)
    {
        try
        {
            var parsed = RequestSettings.Parse(settings);
            if (parsed.Weights.Keys.FirstOrDefault(name => plan.Tasks.All(task => task.Name != name)) is { } unknown)
                throw RequestSettings.NoTask(unknown, plan.Tasks.Select(task => task.Name));
            return plan with
            {
                Architecture = ArchitectureMapping.FromWire(parsed.Architecture, plan.Architecture),
                Optimization = OptimizationMapping.FromWire(parsed.Hyperparameters, plan.Optimization),
                Distillation = parsed.Hyperparameters.HasDistillation ? parsed.Hyperparameters.Distillation : plan.Distillation,
                Tasks = [.. plan.Tasks.Select(task => parsed.Weights.TryGetValue(task.Name, out var weight) ? task with { Weight = weight } : task)],
            };
        }
        catch (FormatException fault)
        {
            throw new TrainingException(fault.Message, fault);
        }
    }

    /// <exception cref="TrainingException">It is no JSON object.</exception>
    public static JsonObject ReadFile(string file)
    {
        try
        {
            return RequestSettings.ReadFile(file);
        }
        catch (FormatException fault)
        {
            throw new TrainingException(fault.Message, fault);
        }
    }
}
