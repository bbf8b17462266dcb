using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using GrpcRec.Training.Learning;

namespace GrpcRec.Trainer.Tuning;

/// <summary>
/// Settings by name over a plan: the names of the contract's Architecture and Hyperparameters (<c>hidden_size</c>, <c>learning_rate</c> …), and
/// <c>weight.TASK</c>.
/// </summary>
static class PlanSettings
{
    private const string WeightPrefix = "weight.";

    public static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        WriteIndented = true,
    };

    /// <exception cref="TrainingException">A name or a value that a plan does not have.</exception>
    public static TrainingPlan Apply(TrainingPlan plan, JsonObject settings)
    {
        var architecture = JsonSerializer.SerializeToNode(plan.Architecture, Json)!.AsObject();
        var optimization = JsonSerializer.SerializeToNode(plan.Optimization, Json)!.AsObject();
        var tasks = plan.Tasks.ToArray();
        foreach (var (name, value) in settings)
        {
            if (name.StartsWith(WeightPrefix, StringComparison.Ordinal))
            {
                var task = Array.FindIndex(tasks, task => task.Name == name[WeightPrefix.Length..]);
                if (task < 0)
                    throw Bad(name, $"names no task; there are {string.Join(", ", tasks.Select(one => one.Name))}");
                tasks[task] = tasks[task] with { Weight = value is JsonValue number && number.TryGetValue(out double weight) ? weight : throw Bad(name, $"cannot be {value?.ToJsonString() ?? "null"}") };
            }
            else if (architecture.ContainsKey(name))
            {
                architecture[name] = value?.DeepClone();
            }
            else if (optimization.ContainsKey(name))
            {
                optimization[name] = value?.DeepClone();
            }
            else
            {
                throw Bad(name, $"is no setting; there are {string.Join(", ", architecture.Concat(optimization).Select(known => known.Key).Order(StringComparer.Ordinal))} and {WeightPrefix}TASK");
            }
        }

        return plan with { Tasks = tasks, Architecture = Read<ArchitecturePlan>(architecture, settings), Optimization = Read<OptimizationPlan>(optimization, settings) };
    }

    /// <exception cref="TrainingException">It is no JSON object.</exception>
    public static JsonObject ReadFile(string file)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(file)) as JsonObject ?? throw new JsonException("it is no object");
        }
        catch (JsonException fault)
        {
            throw new TrainingException($"{file} is not a JSON object of settings: {fault.Message}", fault);
        }
    }

    private static T Read<T>(JsonObject whole, JsonObject settings)
    {
        try
        {
            return whole.Deserialize<T>(Json)!;
        }
        catch (JsonException fault)
        {
            // $.learning_rate
            var name = fault.Path?.TrimStart('$', '.') ?? "";
            throw Bad(name, $"cannot be {settings[name]?.ToJsonString() ?? "that"}");
        }
    }

    private static TrainingException Bad(string name, string why) => new($"{name} {why}.") { Field = name };
}
