using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Registry;
using GrpcRec.V1;
using TaskKind = GrpcRec.Engine.Models.TaskKind;

namespace GrpcRec.Server.Mapping;

/// <param name="Column">Where the task's logit stands.</param>
/// <param name="Weight">Finite.</param>
public readonly record struct WeightedTask(TaskColumn Column, double Weight)
{
    /// <summary>weight × logit for next_item, weight × probability for binary, weight × expected value for regression.</summary>
    public double Value(float logit) => Weight * Column.Task.Kind switch
    {
        TaskKind.NextItem => logit,
        TaskKind.Regression => PredictionMapping.Expectation(Column, logit),
        _ => PredictionMapping.Sigmoid(logit),
    };
}

/// <summary>What a Rank goes by.</summary>
public static class ObjectiveMapping
{
    /// <returns>At least one term, unless something is wrong.</returns>
    public static IReadOnlyList<WeightedTask> Read(RankRequest request, TaskLayout tasks, RequestLimits limits, Violations violations)
    {
        if (request.Objective.Count > limits.MaxTasks)
        {
            violations.Add("objective", ViolationReason.TooMany, $"There are {request.Objective.Count} and at most {limits.MaxTasks} are taken.");
            return [];
        }

        if (request.Objective.Count > 0)
            return ReadTerms(request, tasks, limits, violations);
        if (tasks.NextItem is not null)
            return [new WeightedTask(ColumnOf(tasks, tasks.NextItem.Name), 1)];
        violations.Add("objective", ViolationReason.Required, "The model has no next_item task to rank by: name binary or regression tasks, and give candidate_item_ids.");
        return [];
    }

    private static List<WeightedTask> ReadTerms(RankRequest request, TaskLayout tasks, RequestLimits limits, Violations violations)
    {
        List<WeightedTask> terms = [];
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < request.Objective.Count; i++)
        {
            var (name, weight) = (request.Objective[i].Task, request.Objective[i].Weight);
            if (!double.IsFinite(weight))
                violations.Add($"objective[{i}].weight", ViolationReason.NotFinite, $"It is {weight}; give a finite number.");
            else if (Math.Abs(weight) > limits.MaxObjectiveWeight)
                violations.Add($"objective[{i}].weight", ViolationReason.OutOfRange, $"It is {weight}; -{limits.MaxObjectiveWeight} to {limits.MaxObjectiveWeight} are allowed.");
            if (!tasks.ByName.TryGetValue(name, out var task))
                violations.Add($"objective[{i}].task", ViolationReason.UnknownName, $"The model has no task {Violations.Quote(name)}; it has {Violations.Choices([.. tasks.ByName.Keys])}.");
            else if (!seen.Add(name))
                violations.Add($"objective[{i}].task", ViolationReason.Repeated, $"{Violations.Quote(name)} stands twice: add the weights up.");
            else if (!task.NeedsCandidate || task.Kind == TaskKind.Multiclass)
                violations.Add($"objective[{i}].task", ViolationReason.NotAllowed, $"{Violations.Quote(name)} gives no single number for an item: name a next_item, binary or regression task.");
            else if (request.CandidateItemIds.Count == 0 && task.Kind != TaskKind.NextItem)
                violations.Add($"objective[{i}].task", ViolationReason.NotAllowed, "Over the whole catalogue only the next_item task can be ranked by: give candidate_item_ids, for example from a first Rank.");
            else if (request.CandidateItemIds.Count == 0 && weight <= 0)
                violations.Add($"objective[{i}].weight", ViolationReason.OutOfRange, $"It is {weight}; over the whole catalogue it must be above 0.");
            else
                terms.Add(new WeightedTask(ColumnOf(tasks, name), weight));
        }

        return terms;
    }

    private static TaskColumn ColumnOf(TaskLayout tasks, string name) => tasks.Candidate.First(column => column.Task.Name == name);
}
