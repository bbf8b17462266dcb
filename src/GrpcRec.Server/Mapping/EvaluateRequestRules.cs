using GrpcRec.V1;

namespace GrpcRec.Server.Mapping;

/// <summary>Every bound that training_service.proto states of an evaluation, checked before a worker is started. The model's name is the registry's matter.</summary>
static class EvaluateRequestRules
{
    const int MaxResamples = 10_000;

    /// <param name="dataRoot">Where event files are.</param>
    /// <param name="violations">Gets all that is wrong, together.</param>
    public static void Check(EvaluateRequest request, string dataRoot, Violations violations)
    {
        TrainRequestRules.CheckData(request.Data, dataRoot, violations);
        TrainRequestRules.CheckSplit(request.Split, violations);
        TaskRules.Check(request.Tasks, request.Data?.Columns, violations);
        if (request.FromOneState && (request.Tasks.Count == 0 || request.Tasks.Any(task => task.Kind == TaskKind.NextItem)))
            violations.Add("from_one_state", ViolationReason.NotAllowed, "is not for a next_item task, which follows the events before it: leave it out.");
        TrainRequestRules.InRange("resamples", request.HasResamples, request.Resamples, 0, MaxResamples, violations);
    }
}
